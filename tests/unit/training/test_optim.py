"""The course of the learning rate, the number of epochs, and which parameters decay."""

from __future__ import annotations

import pytest
import torch

from genoken.core.config import EmbeddingSettings, ModelSettings, TrainingSettings
from genoken.core.layout import NUM_SPECIALS, Channel, HeadSpec, Layout
from genoken.models.embeddings import EmbeddingStart
from genoken.models.encoders.linear import LinearEncoder
from genoken.models.encoders.transformer import TransformerEncoder
from genoken.models.network import seeded_network
from genoken.models.pretrained_weights import freeze_layers
from genoken.training.optim import FINAL_SHARE, CourseOfRate, build_optimizer, learning_rate_factor, num_epochs, parameter_groups

LAYOUT = Layout(
    channels=(
        Channel(name="feature", kind="category", role="identity", size=NUM_SPECIALS + 6),
        Channel(name="value", kind="scalar", role="value"),
    ),
    num_features=6,
    has_cls=True,
    emits_every_feature=False,
    max_tokens=7,
)


def network_of(encoder=None, **settings):
    model = ModelSettings(encoder=encoder or TransformerEncoder(layers=2, heads=2, feed_forward=12), width=8, **settings)
    return seeded_network(model, LAYOUT, HeadSpec(outputs=3), EmbeddingStart(), 0)


def test_the_cosine_schedule_is_typed_by_hand():
    # 10 steps, 2 of warm-up; then half a cosine over steps 2 .. 9
    factors = [learning_rate_factor(step, 10, 0.2, "cosine") for step in range(10)]
    cosine = [1.0, 0.9504844, 0.8117449, 0.6112605, 0.3887395, 0.1882551, 0.0495156, 0.0]
    assert factors == pytest.approx([0.5, 1.0] + [0.01 + 0.99 * value for value in cosine], abs=1e-6)
    assert learning_rate_factor(10, 10, 0.2, "cosine") == pytest.approx(0.01)
    assert learning_rate_factor(999, 10, 0.2, "cosine") == pytest.approx(0.01)


def test_the_constant_schedule_stays_after_the_warm_up():
    assert [learning_rate_factor(step, 10, 0.4, "constant") for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]


def test_the_rate_falls_where_validation_improves_nothing():
    weight = torch.nn.Parameter(torch.zeros(1))
    settings = TrainingSettings(schedule="plateau", plateau_patience=2, plateau_factor=0.1, warmup=0.2)
    course = CourseOfRate(torch.optim.SGD([weight], lr=2.0), settings, 10)
    rates = []
    for loss in (5.0, 4.0, 4.0, float("nan"), 4.5, 3.9, 4.0, 4.0, 4.0, 4.0):
        rates.append(course.get_last_lr()[0])
        course.optimizer.step()
        course.observe(loss)
        course.step()
    # two steps of warm-up; 4.0 and NaN improve nothing; then neither 4.5 nor the fourth and fifth 4.0 do, but 3.9 does
    assert rates == pytest.approx([1.0, 2.0, 2.0, 2.0, 0.2, 0.2, 0.2, 0.2, 0.02, 0.02])
    assert course.get_last_lr()[0] == pytest.approx(2.0 * FINAL_SHARE)  # it falls no further


def test_a_plateau_goes_on_where_a_checkpoint_left_it():
    weight = torch.nn.Parameter(torch.zeros(1))
    settings = TrainingSettings(schedule="plateau", plateau_patience=2, warmup=0.0)
    first, second = (CourseOfRate(torch.optim.SGD([weight], lr=1.0), settings, 10) for _ in range(2))
    for loss in (1.0, 2.0, 2.0, 2.0):
        first.observe(loss)
    second.load_state_dict(first.state_dict())
    second.observe(2.0)
    second.optimizer.step()
    second.step()
    assert second.get_last_lr() == [0.25]


def test_other_schedules_do_not_listen_to_validation():
    course = CourseOfRate(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0), TrainingSettings(plateau_patience=1), 10)
    for _ in range(5):
        course.observe(1.0)
    assert course.share == 1.0


@pytest.mark.parametrize(
    ("warmup", "total", "expected"), [(0.0, 4, [1.0]), (0.01, 4, [1.0]), (0.3, 4, [0.5, 1.0]), (1.0, 4, [0.25, 0.5, 0.75, 1.0])]
)
def test_the_warm_up_is_rounded_up_to_whole_steps(warmup, total, expected):
    assert [learning_rate_factor(step, total, warmup, "cosine") for step in range(len(expected))] == expected


@pytest.mark.parametrize("total", [0, 1, 2])
@pytest.mark.parametrize("warmup", [0.0, 0.5, 1.0])
def test_runs_of_hardly_any_steps_have_a_rate(total, warmup):
    for step in range(3):
        assert 0 < learning_rate_factor(step, total, warmup, "cosine") <= 1


@pytest.mark.parametrize(
    ("num_batches", "accumulate", "expected"),
    [(1, 1, 20), (20, 1, 20), (21, 1, 20), (40, 1, 10), (39, 2, 20), (99, 1, 5), (101, 1, 4), (5000, 1, 4)],
)
def test_the_planned_number_of_epochs_makes_about_400_steps(num_batches, accumulate, expected):
    assert num_epochs(TrainingSettings(epochs=0, accumulate=accumulate), num_batches) == expected


def test_a_number_of_epochs_that_is_given_is_taken():
    assert num_epochs(TrainingSettings(epochs=7), 5000) == 7


@pytest.mark.parametrize("combine", ["affine", "multiplicative", "additive", "concatenate"])
@pytest.mark.parametrize("position", ["none", "learned"])
@pytest.mark.parametrize("linear_path", [True, False])
def test_every_parameter_is_in_one_group(combine, position, linear_path):
    network = network_of(embedding=EmbeddingSettings(combine=combine, position=position), linear_path=linear_path)
    grouped = [id(parameter) for group in parameter_groups(network, TrainingSettings()) for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(parameter) for parameter in network.parameters()}


def test_matrices_decay_and_the_rest_does_not():
    network = network_of(embedding=EmbeddingSettings(combine="affine", position="learned"))
    settings = TrainingSettings(learning_rate=0.25, weight_decay=0.5, linear_path_learning_rate=0.125)
    decay, rate = {}, {}
    for group in parameter_groups(network, settings):
        for parameter in group["params"]:
            decay[id(parameter)], rate[id(parameter)] = group["weight_decay"], group["lr"]
    decayed = {name for name, parameter in network.named_parameters() if decay[id(parameter)]}
    assert {name for name, parameter in network.named_parameters() if decay[id(parameter)] not in (0.0, 0.5)} == set()
    in_block = ("attention.query_key_value", "attention.output", "feed_forward.0", "feed_forward.3")
    matrices = {f"encoder.blocks.{index}.{name}.weight" for index in range(2) for name in in_block}
    assert decayed == matrices | {"head.1.weight", "head.4.weight"}
    for name, parameter in network.named_parameters():
        assert rate[id(parameter)] == (0.125 if name.startswith("linear_path") else 0.25)


def test_the_weights_of_a_rival_decay():
    network = network_of(LinearEncoder(), head="linear")
    groups = parameter_groups(network, TrainingSettings(weight_decay=0.5))
    decayed = {id(parameter) for group in groups if group["weight_decay"] for parameter in group["params"]}
    assert decayed == {id(network.embedding.weight), id(network.head[0].weight)}


def test_the_optimizer_follows_the_schedule():
    optimizer, schedule = build_optimizer(
        network_of(), TrainingSettings(learning_rate=0.2, linear_path_learning_rate=0.4, warmup=0.2), 10
    )
    assert isinstance(optimizer, torch.optim.AdamW)
    rates = []
    for _ in range(10):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    factors = [learning_rate_factor(step, 10, 0.2, "cosine") for step in range(10)]
    assert [rate[0] for rate in rates] == pytest.approx([0.2 * factor for factor in factors])
    assert [rate[-1] for rate in rates] == pytest.approx([0.4 * factor for factor in factors])


def rates_of(network, settings):
    groups = parameter_groups(network, settings)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return {names[id(parameter)]: group["lr"] for group in groups for parameter in group["params"]}


def test_the_rate_falls_from_block_to_block():
    network = network_of(TransformerEncoder(layers=3, heads=2, feed_forward=12))
    rates = rates_of(network, TrainingSettings(learning_rate=0.8, layer_decay=0.5, linear_path_learning_rate=0.3))
    typed = {
        "head": 0.8,
        "encoder.blocks.2": 0.8,
        "encoder.blocks.1": 0.4,
        "encoder.blocks.0": 0.2,
        "embedding": 0.1,
        "linear_path": 0.3,
    }
    assert set(rates) == {name for name, _ in network.named_parameters()}
    for part, rate in typed.items():
        assert {found for name, found in rates.items() if name.startswith(f"{part}.")} == {rate}, part


def test_decayed_and_free_parameters_of_a_block_have_one_rate_and_the_schedule_scales_all():
    network, settings = network_of(linear_path=False), TrainingSettings(learning_rate=1.0, layer_decay=0.5, warmup=0.2)
    groups = parameter_groups(network, settings)
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [
        (1.0, 0.01),
        (1.0, 0.0),
        (0.5, 0.01),
        (0.5, 0.0),
        (0.25, 0.0),
    ]
    optimizer, _ = build_optimizer(network, settings, 10)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5, 0.25, 0.25, 0.125]


def test_an_encoder_without_blocks_has_one_rate():
    network = network_of(LinearEncoder(), head="linear")
    assert set(rates_of(network, TrainingSettings(learning_rate=0.5, layer_decay=0.1)).values()) == {0.5}


def test_what_is_frozen_is_in_no_group():
    network = network_of()
    freeze_layers(network, 1)
    learned = set(rates_of(network, TrainingSettings()))
    assert learned == {name for name, _ in network.named_parameters() if not name.startswith(("embedding.", "encoder.blocks.0."))}
