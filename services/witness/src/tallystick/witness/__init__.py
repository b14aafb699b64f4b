"""A C2SP tlog-witness: cosigns a log's checkpoint once it is proven to hold everything that was cosigned before.

For others than the log's operator to run. Leaves out: who may ask (anybody), and what the log is about.
"""
