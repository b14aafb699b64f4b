"""Trains, evaluates and publishes model versions.

`train` turns a file of labelled transactions into a model, a threshold policy and the two statements that say what they are;
`publish` signs the statements and sends them to the governance log. It activates nothing: that takes two approvers
(`tallystick activate`). Features are computed by column, apart from scoring's code on purpose, so that each checks the other.
"""
