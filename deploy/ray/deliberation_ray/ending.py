"""How an answer ended, by the word that its server uses for it."""

import re

# Parts of the words that servers use. The first match counts; any other word means that the answer is whole.
_ENDINGS = {
    "unnamed": r"unspecified|unknown|^(other|none|null|undefined)$",
    "filtered": r"filter|safety|block|prohibited|refus|recitation|spii|moderat|guardrail|sensitive|toxic|violat"
    r"|jailbreak|^language$",
    "called a tool": r"tool|function",
    "broken": r"cancel|abort|error|fail|time_?limit|timeout|timed|interrupt|resource|network|unload|overload"
    r"|disconnect|preempt|evict|pause|shut|kill",
    "cut": r"length|max_|maxtokens|limit|context|window|exceed|truncat|incomplete|budget|repeti|\bcut",
}


def ending_of(finish_reason: str) -> str:
    """`whole`, or in what way the answer is not; `unnamed` for words that say nothing."""
    for ending, words in _ENDINGS.items():
        if re.search(words, finish_reason.strip(), re.IGNORECASE):
            return ending
    return "whole"


def cut_reason(finish_reason: str) -> str:
    """The word for an answer that was cut: `length` at the token limit, with the server's own word for other limits."""
    at_token_limit = re.search(r"length|max_|maxtokens|limit", finish_reason, re.IGNORECASE)
    return "length" if at_token_limit else f"length ({finish_reason[:48]})"
