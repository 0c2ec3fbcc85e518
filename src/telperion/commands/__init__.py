"""Commands that have more to say than fits beside the others: what each takes, and the call that it is."""
