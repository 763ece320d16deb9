"""A question answered from documents: retrieve, prompt, generate within a rate limit, judge, answer.

The model is a stand-in that quotes, so that this needs no key and always says the same; the flow is a real one's.
``python examples/10_llm.py`` prints::

    When a lease ends, another worker takes the task. [leases]
    2 requests had to be sent again
"""

import re

from pgflow import Context, Flow, FlowClient, RetryAfter, Worker, migrations
from pgflow.embedded import server_dsn

DOCUMENTS = {
    "events": ["Each change is an event.", "Whoever waits for a run hears of it."],
    "leases": ["A task is held under a lease.", "When a lease ends, another worker takes the task."],
    "retries": ["A task that fails is tried again after a pause.", "After three attempts its run fails."],
}


class RateLimitError(Exception):
    """What clients of models raise, with the seconds that the service asks for."""

    retry_after = 0.2


def complete(prompt: str, *, idempotency_key: str) -> str:
    """Stand in for a model: quote what suits the question best, and refuse every request once."""
    if idempotency_key not in refused:
        refused.add(idempotency_key)
        raise RateLimitError
    question, *sentences = prompt.splitlines()
    return max(sentences, key=lambda sentence: likeness(question, sentence))


def likeness(question: str, text: str) -> int:
    """Return how many words they share: in place of a search, and of a second model as the judge."""
    return len(set(re.findall(r"\w+", question.lower())) & set(re.findall(r"\w+", text.lower())))


flow = Flow("answer-question", input=str)
refused: set[str] = set()


@flow.step
def retrieve(run: str) -> list[str]:
    return sorted(DOCUMENTS, key=lambda name: likeness(run, " ".join(DOCUMENTS[name])), reverse=True)[:2]


@flow.step(depends_on=[retrieve], fanout=True)
def prompt(name: str, ctx: Context) -> str:
    return "\n".join([ctx.run_input, *DOCUMENTS[name]])


@flow.step(depends_on=[prompt], fanout=True, max_attempts=10, timeout=60)
def generate(prompt: str, ctx: Context) -> str:
    """Try again when the service says; by the key it does not bill an answer twice that was lost on its way."""
    try:
        return complete(prompt, idempotency_key=ctx.idempotency_key)
    except RateLimitError as error:
        raise RetryAfter(error.retry_after) from None


@flow.step(depends_on=[generate])
def judge(run: str, generate: list[str]) -> int:
    return max(range(len(generate)), key=lambda place: likeness(run, generate[place]))


@flow.step(depends_on=[retrieve, generate, judge])
def answer(retrieve: list[str], generate: list[str], judge: int) -> str:
    return f"{generate[judge]} [{retrieve[judge]}]"


if __name__ == "__main__":
    with server_dsn(".pgflow") as dsn:
        migrations.upgrade(dsn)
        with Worker(flow, dsn), FlowClient(dsn) as client:
            run = client.start(flow, "What happens to the task of a worker when its lease ends?")
            print(run.step(answer).result(timeout=60), f"{len(refused)} requests had to be sent again", sep="\n")
