"""For those who help people that are locked out: what stands about whom, and how to lift it."""
