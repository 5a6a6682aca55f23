"""Every model, by domain. Importing this package imports none of them."""
