"""What a test wants to know of a space: what its client did wrong, what never happened, and why.

Nothing here touches the network or a clock: it reads a space's journal and hearings.
"""
