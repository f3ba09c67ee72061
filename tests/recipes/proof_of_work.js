const field = document.querySelector("[data-puzzle]")
const button = field.form.querySelector("[type=submit]")

async function work() {
  const { puzzle, bits } = field.dataset
  button.disabled = true
  for (let number = 0; !field.value; number++) {
    const text = new TextEncoder().encode(`${puzzle} ${number}`)
    const found = new DataView(await crypto.subtle.digest("SHA-256", text))
    const solved = found.getUint32(0) >>> (32 - bits) === 0
    if (solved) field.value = `${puzzle} ${number}`
  }
  button.disabled = false
}

work()
