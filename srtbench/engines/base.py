"""What generates completions, and what it takes and gives."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Completion:
    """One sampled text; ``truncated``: it ended at the length limit, without an end token."""

    text: str
    token_ids: tuple[int, ...]
    truncated: bool


@dataclass(frozen=True)
class PromptFormat:
    """How a prompt becomes token ids, the same in training and evaluation."""

    chat: bool
    system_prompt: str | None = None

    def messages(self, prompt: str) -> Any:
        """What the trainer takes: a text, or chat messages."""
        if not self.chat:
            return f"{self.system_prompt}\n\n{prompt}" if self.system_prompt else prompt
        system = [{"role": "system", "content": self.system_prompt}] if self.system_prompt else []
        return [*system, {"role": "user", "content": prompt}]

    def token_ids(self, tokenizer: Any, prompt: str) -> list[int]:
        """Token ids that the policy continues."""
        content = self.messages(prompt)
        if self.chat:
            content = tokenizer.apply_chat_template(
                content, add_generation_prompt=True, tokenize=False
            )
            return list(tokenizer(content, add_special_tokens=False)["input_ids"])
        return list(tokenizer(content)["input_ids"])


class Engine(Protocol):
    """Samples completions of one policy, apart from training.

    How many are sampled at once is a matter of the engine, settled when it is made.
    """

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        *,
        samples: int,
        temperature: float,
        max_completion_length: int,
        seed: int,
    ) -> Iterator[list[Completion]]:
        """Yield ``samples`` completions for each prompt, in order.

        The texts depend on the arguments and on how the engine was made, not on what was sampled
        before, and the global random state stays as it is.

        Args:
            prompts: token ids of each.
            temperature: 0 takes the most likely token at each place; ``samples`` must then be 1.
        """
        ...


EngineMaker = Callable[[Any, int], Engine]
"""Model, and completions at once -> the engine that samples it with the weights that it has then.

An engine that plans its batches itself, as vLLM does, does not look at the second.
"""


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Every token that ends a completion: the tokenizer's and the generation config's."""
    ends = {tokenizer.eos_token_id}
    configured = getattr(model, "generation_config", None)
    if configured is not None and configured.eos_token_id is not None:
        value = configured.eos_token_id
        ends |= set(value) if isinstance(value, list) else {value}
    return sorted(token for token in ends if token is not None)
