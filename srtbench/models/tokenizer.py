"""A character-level tokenizer, saved in the usual files."""

import re
from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

PAD, EOS, UNK = "<pad>", "<eos>", "<unk>"


def character_tokenizer(
    alphabet: str, words: Sequence[str], max_length: int
) -> PreTrainedTokenizerFast:
    """One token per character of ``alphabet`` and per entry of ``words``.

    Words win over characters, longer words over shorter ones. Any other character becomes
    ``<unk>``. Decoding joins tokens without spaces.
    """
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    characters = [char for char in dict.fromkeys(alphabet) if char not in longest_first]
    vocabulary = {
        token: index for index, token in enumerate([PAD, EOS, UNK, *longest_first, *characters])
    }
    pattern = "|".join([*(re.escape(word) for word in longest_first), r"[\s\S]"])
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token=UNK))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
    )
