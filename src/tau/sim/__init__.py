"""The simulated world: hidden rules, cases, an oracle, and a model that reads and writes prompts.

It is a simulator and says so in its name (`sim/...`). It shows search policy, noise handling,
budgets and durability. It cannot show how good a real model's proposals are.
"""
