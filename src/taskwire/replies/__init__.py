"""A reply's way to the agent.

How is it written down? `admit`. May it go now, and in which words? `deliver`. What happens then: delivered,
waiting, held, asked about, failed? `outcomes`. Did it arrive although the answer was lost? `reconcile`. What
does a person's press on a waiting reply do? `decide`. What if it is edited or deleted? `edits`.
"""
