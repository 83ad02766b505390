"""The books: a ledger of predictions and outcomes, and the figures drawn from it."""
