"""The doors of a site: what in its URLconf verifies secrets, how it is guarded, or the line to write.

Nothing here calls a view or imports what the project has not imported. From below: kinds (the table of known ones),
layers (what a view is made of), source (what its code asks), writing (the line), door (the value), views, apis and
ninjas (what a view of that sort verifies), and urlconf, which walks the routes.
"""
