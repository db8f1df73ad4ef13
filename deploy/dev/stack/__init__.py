"""The parts of `stack.py`.

layout      where things lie                    ports       who listens where
preflight   what is missing, before anything    prepare     tools, the Python environment, our binaries
programs    what runs, and how                  supervision supervisord: its configuration and its calls
model       the model server of VLLM_URL, before anything
readiness   when a program really answers       processes   finding and ending what a stack left behind
record      stack.json and env, for others      running     up, down, start, stop, kill
"""
