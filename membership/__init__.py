"""Pressfund: memberships and collective fundraising for small independent newsrooms.

The map of the house; whoever stands higher may import what stands lower:

    app         joins the parts
    web  cli    pages by who reads them; commands
    billing     where we meet Stripe: outgoing calls, inbox, convergence
    mail        renders and sends what the outbox holds
    domain      the rules: one noun, one file, its tables, verbs and questions
    vault db config clock logs   sealing, the database, settings, the one clock, what a log may hold
    money       integers in minor units, exact
    errors      refusals, as sentences for a human
    sandbox     a pretend Stripe that stands alone
"""
