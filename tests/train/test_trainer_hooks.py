"""What srtbench overrides in TRL's trainers, held against the installed version."""

import inspect
import re
from typing import Any

import pytest
import torch
from trl import GRPOTrainer, RLOOTrainer
from trl.trainer.utils import RepeatSampler

from srtbench.train.policy_checks import PolicyChecks
from srtbench.train.sampler import ResumableSampler
from srtbench.train.token_statistics import masked_mean, padded, self_certainty
from srtbench.train.trainer import RolloutMixin
from srtbench.train.trl_types import TrlTrainer

METHODS = {
    "_generate_and_score_completions": ["inputs"],
    "_generate": ["prompts"],
    "_calculate_rewards": ["inputs", "prompts", "completions", "completion_ids_list"],
    "_compute_loss": ["model", "inputs"],
    "_get_train_sampler": ["dataset"],
    "log": ["logs", "start_time"],
}


@pytest.mark.parametrize("trainer", [GRPOTrainer, RLOOTrainer])
def test_the_methods_are_there_and_take_what_they_took(trainer: Any) -> None:
    for name, parameters in METHODS.items():
        assert name in vars(RolloutMixin), name
        assert list(inspect.signature(getattr(trainer, name)).parameters)[1:] == parameters, name
    for name in ("_get_per_token_logps_and_entropies", "_save_checkpoint", "_load_from_checkpoint"):
        assert hasattr(trainer, name), name
    single = list(inspect.signature(trainer._generate_single_turn).parameters)
    expected = ["prompt_ids", "images", "multimodal_fields"]
    assert single[1:4] == expected
    if trainer is GRPOTrainer:
        assert single[4] == "num_generations"


@pytest.mark.parametrize("trainer", [GRPOTrainer, RLOOTrainer])
def test_what_is_declared_of_the_trainers_is_there(trainer: Any) -> None:
    """The declarations are for the type checker: nothing else would notice a name that is gone."""
    sources = "".join(inspect.getsource(base) for base in trainer.__mro__ if base is not object)
    for name in inspect.get_annotations(TrlTrainer):
        assert re.search(rf"self\.{name}\b[^=\n]*=[^=]", sources), name
    for name, declared in vars(TrlTrainer).items():
        if inspect.isfunction(declared) and name != "__init__":
            found = list(inspect.signature(getattr(trainer, name)).parameters.values())
            wanted = list(inspect.signature(declared).parameters.values())
            plain = [p.name for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]
            if not declared.__code__.co_flags & inspect.CO_VARARGS:
                assert [p.name for p in found][: len(plain)] == plain, name


def test_the_order_of_prompts_is_trls_in_every_epoch() -> None:
    data = list(range(10))
    options = {"mini_repeat_count": 2, "batch_size": 3, "seed": 5}
    plain = RepeatSampler(data, **options)
    epochs = [list(plain) for _ in range(3)]
    assert epochs[0] != epochs[1]
    done = 0.0
    sampler = ResumableSampler(RepeatSampler(data, **options), lambda: done)
    for epoch, expected in enumerate(epochs):
        for part in (0.0, 0.4):
            done = epoch + part
            assert list(sampler) == expected, "a resume within the epoch sees the epoch's order"
    assert len(sampler) == len(plain)


def test_self_certainty_is_the_divergence_from_uniform() -> None:
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(2, 3, 4), torch.randn(7, 4), torch.randn(7)
    ids, temperature = torch.randint(7, (2, 3)), 0.7
    logits = (hidden @ weight.T + bias) / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    own = logprobs.gather(2, ids[:, :, None])[..., 0]
    uniform = torch.full_like(logprobs, 1 / 7)
    expected = (uniform * (uniform.log() - logprobs)).sum(dim=-1)
    found = self_certainty(hidden, ids, own, weight, bias, temperature)
    assert torch.allclose(found, expected, atol=1e-5)


def test_padding_and_masked_means() -> None:
    ids, mask = padded([[1, 2], [3]], 0, torch.device("cpu"), left=True)
    assert ids.tolist() == [[1, 2], [0, 3]]
    assert mask.tolist() == [[1, 1], [0, 1]]
    ids, mask = padded([[1, 2], []], 9, torch.device("cpu"), left=False)
    assert ids.tolist() == [[1, 2], [9, 9]]
    means = masked_mean(torch.tensor([[1.0, 3.0], [5.0, 7.0]]), mask)
    assert means[0] == 2
    assert means[1].isnan()


class _Config:
    def get_text_config(self) -> "_Config":
        return self


class _Head:
    weight = torch.eye(3)
    bias = None


class _Model:
    config = _Config()

    def parameters(self) -> list[torch.Tensor]:
        return [torch.zeros(1)]

    def get_output_embeddings(self) -> _Head:
        return _Head()


def test_a_trainer_that_is_not_the_sampler_is_noticed() -> None:
    """Hidden states are logits here; the trained log-probabilities are off by a known amount."""
    checks = PolicyChecks(_Model(), 1.0, needs_start_model=False)
    hidden = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]]])
    checks.start_sampling(4)
    checks.hear(hidden)
    checks.end_sampling([[0], [0]], [[0], [1]])
    exact = torch.log_softmax(hidden[:, 0], dim=-1)[[0, 1], [0, 1]][:, None]
    rows, mask = torch.tensor([1, 0]), torch.ones(2, 1)
    checks.compare(rows, exact.flip(0) + torch.tensor([[0.5], [0.0]]), mask, 6)
    found = checks.take(list)
    assert found["on_policy/sampler_logprob_difference"] == pytest.approx(0.25)
    assert found["on_policy/sampler_logprob_difference_max"] == pytest.approx(0.5)
    assert found["on_policy/updates_since_sampling"] == 2
    assert checks.take(list) == {}


def test_a_large_vocabulary_is_looked_at_for_the_first_tokens_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from srtbench.train import policy_checks

    monkeypatch.setattr(policy_checks, "PROBE_LOGITS", policy_checks.PROBE_ROWS * 3 * 2)
    checks = PolicyChecks(_Model(), 1.0, needs_start_model=False)
    checks.start_sampling(0)
    states = [torch.randn(1, 1, 3) for _ in range(4)]
    for state in states:
        checks.hear(state)
    checks.end_sampling([[0]], [[0, 1, 2, 0]])
    first = torch.cat([torch.log_softmax(state[0, -1:], dim=-1) for state in states])
    exact = first[range(4), [0, 1, 2, 0]][None]
    off = exact + torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    checks.compare(torch.tensor([0]), off, torch.ones(1, 4), 0)
    found = checks.take(list)
    assert found["on_policy/sampler_logprob_difference_max"] == pytest.approx(0, abs=1e-6)
