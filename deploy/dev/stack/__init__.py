"""The parts of `stack.py`.

cli         the commands                            running      up, down, start, stop
preflight   what is missing, the user's model       prepare      tools, the Python environment, our binaries
programs    what runs, how, and when it is ready    ports        who listens where
supervision supervisord                             processes    finding and ending what is left of a stack
record      stack.json and env, for others          layout       where its files are
console     what the terminal shows
"""
