"""Where we meet Stripe: outgoing calls are recorded first, incoming events are only hints to fetch again."""
