"""The parts of `stack.py`.

cli           the commands                         running       up, down, start, stop, kill
preflight     what is missing or taken             prepare       tools, the Python environment, our binaries
ports         who listens where                    model_server  the server that VLLM_URL names
programs      what runs, and how                   readiness     whether a program is ready
supervision   supervisord                          processes     finding and ending what is left of a stack
record        stack.json and env, for others       report        what a stack says about itself
layout        where its files are                  console       what the terminal shows
"""
