"""The number of PyTorch's threads stays what it was."""

import subprocess
import sys

import torch

from genoken.core.threads import threads_kept


def test_the_number_of_threads_is_given_back():
    before = torch.get_num_threads()
    with threads_kept():
        torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before


def test_choosing_variable_genes_leaves_the_threads_of_a_fresh_process_alone():
    script = (
        "import torch; torch.set_num_threads(3)\n"
        "from genoken.synthetic import planted_markers\n"
        "import genoken\n"
        "genoken.Encoder.fit(planted_markers(samples=60, features=60), tokenizer={'kind': 'continuous', 'hvgs': 20})\n"
        "print(torch.get_num_threads())"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "3"
