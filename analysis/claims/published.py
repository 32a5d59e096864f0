"""What the papers report for each claim, with where it is found.

Every number stands in the text of the paper named, or is read off one of its figures; a number
from a figure is marked "about" and "read off".
Three decimals are kept for what is measured here.
"""

_SRT_1 = "[arXiv 2505.21444v1](https://arxiv.org/abs/2505.21444v1)"
_SRT_2 = "[arXiv 2505.21444v2](https://arxiv.org/abs/2505.21444v2)"
_SPURIOUS = "[arXiv 2506.10947v1](https://arxiv.org/abs/2506.10947v1)"

C1 = (
    "SRT takes Llama-3.1-8B-Instruct from 52.6% to around 60% in pass@1 on MATH-500, trained on "
    f"a part of Big-Math ({_SRT_2}, sections 4.1 and J.2). "
    "Qwen2.5-Math-7B, trained on MATH-12K, goes from about 0.43 to 0.79 in pass@1 and from about "
    "0.79 to 0.88 in maj@32 on MATH-500 (read off its figures 3 and 4)."
)
C2 = (
    "Qwen2.5-Math-7B on DAPO, mean avg@32 over AIME 2024, AIME 2025 and AMC: from about 0.15, SRT "
    "and gold labels are both at about 0.30 at step 200 "
    f"({_SRT_1}, read off figure 2). "
    "After that gold goes on and SRT falls: its peak is 75% of what gold ends at (section 4.1)."
)
C3 = (
    "Qwen3-4B-Base on Reasoning Gym: SRT beats its fixed-teacher variant by 10% on Bitwise "
    "Arithmetic, 8% on Family Relationships and 6% on Knights & Knaves "
    f"({_SRT_2}, section 4.1). "
    "Its own held-out maj@16, the teacher's accuracy, goes from about 0.78 to 0.86 on Bitwise "
    "Arithmetic (read off its figure 2)."
)
C4 = (
    "Qwen3-4B-Base, with gold labels on level 2 of Knights & Knaves alone, climbs by SRT to near "
    f"1.00 on level 9 ({_SRT_2}, section 4.2), in avg@16 from about 0.91 to 0.96 on that level; on "
    "level 4 of Bitwise Arithmetic from about 0.59 to 0.64 (read off its figure 5). "
    "For direct training on the last level the paper's own number is not stated here."
)
C5 = (
    "Qwen2.5-Math-7B on DAPO, pass@1 on MATH-500: about 0.43 at the start, 0.74 at the peak and "
    "0.03 from step 800 on, where gold labels reach about 0.79 "
    f"({_SRT_2}, read off figure 6). "
    "After 1200 steps it answers `\\boxed{1}` to every prompt (section L)."
)
C6 = (
    "A lower learning rate and fewer answers per prompt delay the collapse, a larger KL "
    "coefficient does not, an entropy bonus hastens it, GRPO and RLOO fall alike, and hard DAPO "
    f"falls before easier MATH-12K ({_SRT_2}, sections 4.2, G and I.3). "
    "Llama-3.1-8B-Instruct gains over 2000 steps at learning rate 1e-7 and collapses at 3e-7 "
    "(section J.2), to about 0.16 on MATH-500 (read off figure 6)."
)
C7 = (
    "Qwen2.5-Math-7B on MATH-500 after 300 steps: +21.4 points for random, +13.8 for format and "
    f"+24.1 for incorrect rewards, where gold gives +29.1 ({_SPURIOUS}, abstract and figure 1). "
    "Llama and OLMo models gain little from spurious rewards or get worse (section 1)."
)
C8 = (
    "Qwen2.5-Math-7B on DAPO, mean avg@32 over AIME 2024, AIME 2025 and AMC, about 0.15 at the "
    "start and 0.02 for SRT at step 1000: then about 0.30 with labels of the base model, 0.30 on "
    "the easiest third by vote share and 0.35 by pass rate; stopped on 1% of DAPO, about 0.58 on "
    f"AMC, whose best is 0.62 ({_SRT_1}, read off figures 6 to 8). "
    "Labels of the base model collapse too after more than one epoch of MATH-12K "
    f"({_SRT_2}, section I.2)."
)
C9 = (
    "Labels of the start model delay the collapse, but do not avoid it in more than one epoch of "
    f"MATH-12K ({_SRT_2}, section I.2). "
    "Labels by a moving average of the policy are proposed against the collapse "
    "([arXiv 2508.00410](https://arxiv.org/abs/2508.00410), Co-rewarding-II). "
    "No paper known here takes the period between two renewals as an axis."
)
C9R = (
    "SRT beats labels of its fixed start model by 6 to 10 points on three tasks before it falls "
    f"({_SRT_2}, section 4.1)."
)
C9S = (
    "LMSI takes one round: 32 paths for each question, all of those that reach the majority answer "
    "([arXiv 2210.11610](https://arxiv.org/abs/2210.11610), section 3). ReST-EM, whose filter is "
    "gold, tunes the base model anew in each round, and gains for two to three rounds on MATH "
    "([arXiv 2312.06585](https://arxiv.org/abs/2312.06585), section 5). "
    "No paper known here takes the number of prompts that one policy labels as an axis."
)
C10 = (
    "A lower learning rate delays the collapse: Llama-3.1-8B-Instruct gains over 2000 steps at "
    f"1e-7 and collapses at 3e-7 ({_SRT_2}, section J.2). No paper known here gives the time of "
    "the collapse as a function of the learning rate or of the start."
)
