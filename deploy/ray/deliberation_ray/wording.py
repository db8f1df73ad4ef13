"""The words in which model servers say what is wrong. The same words come with different statuses."""

import re

# The server is busy, or limits its callers.
LATER = re.compile(
    r"overloaded(?! (operator|function|method))|overload_error|(?<!matching )(?<!no )\boverload\b(?! (for|resolution))"
    r"|too many (concurrent )?requests|thrott?l(ed|ing)|rate[_ -]?limit[a-z]*[_ ]?(is |was |has been )?"
    r"(error|exceed|reached|hit)|rate[- ]limited|resource[_ ]exhausted"
    r"|(at|over|exceed(s|ed|ing)?|insufficient|not enough|out of|no( available)?) capacity"
    r"|capacity[_ ]?(is |has been |was |constraints?)?(exceeded|reached|full|limit|constrain)"
    r"|\b(server|service|engine|model|system)s?[_ ](is |are )?(currently |temporarily |too )?busy|busy[_ ]error"
    r"|queue (is |was )?full|pending requests exceeded|temporarily unavailable",
    re.IGNORECASE,
)
CONTEXT = re.compile(
    r"context[ _-]?(length|window|size|limit)|max(imum)?[_ ](context|prompt|sequence|input)[_ ](length|len|size|tokens)"
    r"|maximum (context|prompt|sequence) |(model_)?max_(model|seq|sequence)_?len"
    r"|\bn_ctx\b|string_above_max_length|reduce (the|your) (length|prompt|input)|too many (input |prompt )?tokens"
    r"|max_new_tokens`?'?\"? must be|must have (less|fewer) than \d+ tokens|range of input length"
    r"|(at most|limit of|maximum of) \d+ (input|prompt) |(model|context|prompt|input) token limit"
    r"|(prompt|inputs?|messages?)\b[^.]{0,40}\b(too (long|large|many tokens)"
    r"|(?<!should be )(longer|greater|larger|more) than|exceed(s|ed|ing)?)\b"
    r"|(token count|tokens)[^.]{0,40}\b(cannot )?exceed(s|ed|ing)?\b[^.]{0,60}(max|limit|context|window|\d)"
    r"|\btokens (of|limit)[^.]{0,20}\bexceeded",
    re.IGNORECASE,
)
# A request that is larger than a whole minute's allowance never passes, though the status means "later".
NEVER_FITS = re.compile(
    r"request[_ ](is )?too[_ ]large\b|tokens must be reduced|reduce your message size|tokens_limit_reached"
    r"|body too large for \S+ model",
    re.IGNORECASE,
)
# The model was asked, and thought until its tokens were used up.
TOKENS_USED_UP = re.compile(
    r"could not finish the message because max_(completion_)?tokens|output limit was reached"
    r"|try again with higher max_",
    re.IGNORECASE,
)
QUOTA = re.compile(
    r"insufficient[_ ](quota|credits?|balance|funds)|billing[_ ](hard[_ ]limit|not[_ ]active)|payment required"
    r"|credit balance is too low|no credits? left|out of credits?|used all (available |your |of your )?credits?"
    r"|credits? (are |is |were |have been )?(exhausted|depleted|used up)|credit limit"
    r"|\bbalance\b[^.]{0,20}(insufficient|not enough|too low|exhausted|empty|negative)|arrear"
    r"|\u4f59\u989d\u4e0d\u8db3|\u6b20\u8d39"  # the same in Chinese
    r"|account[^.]{0,20}(deactivated|suspended)|spend(ing)?[ _]limit"
    r"|(?<!latency )(?<!time )(?<!retry )(?<!error )\bbudget[^.]{0,20}exceeded|exceeded?[_ ]?budget"
    r"|monthly (usage |request |token |included |api )*(limit|quota|credits?)|add \S+ credits",
    re.IGNORECASE,
)
# Google names the limit that was exceeded. Even for a limit per day it names a delay of seconds.
DAILY_QUOTA = re.compile(r"per_?day", re.IGNORECASE)
# Google says this of limits per minute too, and then names a time.
PERHAPS_QUOTA = re.compile(
    r"check your plan and billing|quota[_ ]exceeded|exceeded[_ ](your[_ ])?(current[_ ])?quota", re.IGNORECASE
)
_STARTS = (
    r"((re|pre)?(load|start|warm|deploy|initiali[sz]|boot|provision|creat|launch)|download|pull|wak|spinn|scal|prepar)"
)
LOADING = re.compile(
    rf"being {_STARTS}(e?d|ed)\b|(^|[.:]\s*|\b(is|are|was|still|currently|now|server|model|engine|service) )"
    rf"{_STARTS}ing\b|\b{_STARTS}ing (up|weights|the model|model|in progress)\b"
    r"|not (yet )?(ready|started|initiali[sz]ed)|not yet (available|loaded|deployed)|not (loaded|available) yet"
    r"|(model|engine|server|service)_(is_)?(loading|starting|warming|initiali[sz]ing|not_ready)|\bcold[ -]start"
    r"|will be (ready|available|loaded) (soon|shortly|in)",
    re.IGNORECASE,
)
LOADING_FAILED = re.compile(
    r"\b(error|fail(ed|ure)?|unable|cannot|could not|couldn't|not found|does not exist|doesn't exist|no such)\b",
    re.IGNORECASE,
)
REJECTED_CODE = re.compile(
    r"invalid[_ ]?(request|api|argument)|bad ?request|not ?_?found|authentication|permission|unauthori[sz]ed",
    re.IGNORECASE,
)
# gRPC codes that mean "later", for example within a stream.
LATER_CODE = re.compile(r"\bunavailable\b|server_busy", re.IGNORECASE)
