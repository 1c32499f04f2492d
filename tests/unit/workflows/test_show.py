"""What is written to a terminal, a pipe, or nowhere."""

from __future__ import annotations

from genoken.workflows.show import Show


def test_lines_and_tables_go_to_the_output_as_they_are(capsys):
    show = Show()
    show.line("a [bold]gene[/bold] of 1,000")
    show.warning("too [few]")
    show.strong("verdict")
    show.table("Test", ["", "macro-F1"], [["this model", "0.5 [0.1, 0.9]"], ["x" * 90, "-"]])
    written = capsys.readouterr()
    assert written.err == ""
    lines = written.out.splitlines()
    assert lines[:3] == ["a [bold]gene[/bold] of 1,000", "warning: too [few]", "verdict"]
    assert any(line.rstrip().endswith("0.5 [0.1, 0.9]") for line in lines)
    assert any("x" * 90 in line for line in lines)


def test_quiet_is_quiet(capsys):
    show = Show(quiet=True)
    show.line("x")
    show.warning("x")
    show.table("t", ["a"], [["b"]])
    with show.bar("Working", total=2) as bar:
        bar.to(1, "note")
    assert capsys.readouterr() == ("", "")


def test_bars_do_not_clutter_a_pipe(capsys):
    with Show().bar("Working", total=2) as bar:
        bar.to(2, "note")
    assert capsys.readouterr().out == ""


def test_bars_move_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    with Show().bar("Working", total=2) as bar:
        bar.to(1, "half of it")
    assert "Working" in capsys.readouterr().out
