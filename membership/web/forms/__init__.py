"""Forms: the shapes of what readers send. No database, no Stripe; rules are the domain's."""
