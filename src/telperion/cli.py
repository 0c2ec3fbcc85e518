"""The command line: arguments in, one call, a table or a file out; no logic of its own."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.markup import escape

import telperion
from telperion.commands.aliens import add_aliens
from telperion.commands.card import add_card
from telperion.commands.classify import add_classify, add_view
from telperion.commands.export import add_export
from telperion.commands.rank import add_rank
from telperion.commands.serve import add_serve
from telperion.commands.simulate import add_simulate
from telperion.commands.stream import add_stream
from telperion.commands.train import add_changes, add_storage, add_train
from telperion.encode.view import Context, View
from telperion.processes import processes
from telperion.progress import progress_bar
from telperion.scores import PHASES, Evaluation

if TYPE_CHECKING:
    from telperion.run import Run


GOES_ON = ("simulate", "train", "crossvalidate", "submit", "stream")
"""Commands that keep what is finished when they are stopped, and do it once."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; errors of the user's making end it with one line and status 2."""
    arguments = _parser().parse_args(argv)
    speaks = True  # of processes that train together the first only
    warnings.showwarning = lambda message, *_: Console(stderr=True, quiet=not speaks).print(
        f"[yellow]note:[/] {escape(str(message))}", highlight=False, soft_wrap=True
    )
    try:
        if (together := processes()).size > 1:
            if arguments.name != "train":
                together.alone(f"telperion {arguments.name}")
            speaks = together.first
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # torchrun passes on how it was stopped
        arguments.command(arguments)
    except (ValueError, KeyError, OSError, ImportError, RuntimeError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        said = f"[red]telperion {arguments.name}:[/] {escape(str(text))}"
        Console(stderr=True).print(said, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        Console(stderr=True, quiet=not speaks).print(
            f"telperion {arguments.name}: {_stopped(arguments)}", markup=False, highlight=False
        )
        return 130
    return 0


def _stopped(arguments: argparse.Namespace) -> str:
    """Say what Ctrl-C leaves of a command."""
    if arguments.name in GOES_ON or getattr(arguments, "goes_on", False):
        return "stopped; the same command goes on from here"
    if arguments.name == "demo" and arguments.data is None:
        kept = arguments.keep is not None and arguments.keep.is_dir()
        return f"stopped; {arguments.keep} keeps what is there so far" if kept else "stopped; nothing is kept"
    return "stopped"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="telperion", description=telperion.__doc__)
    parser.add_argument("--version", action="version", version=f"telperion {telperion.__version__}")
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")
    add = commands.add_parser

    demo = add("demo", help="simulate a night of alerts and classify it as it comes in; or show light curves of yours")
    demo.add_argument("data", nargs="?", type=Path, help="light curves to classify in place of a simulated night")
    demo.add_argument("-m", "--model", default="elasticc", help="a shipped classifier or a folder")
    demo.add_argument("-k", "--keep", type=Path, help="of the night: a new folder for packets, store and answers")
    demo.add_argument("-n", type=int, default=1520, help="of the night: light curves")
    demo.add_argument("--seed", type=int, default=1, help="of the night")
    demo.add_argument("--web", action="store_true", help="show the night in the browser as it comes in, until Ctrl-C")
    demo.add_argument("--port", type=int, default=8765, help="of --web; 0: any that is free")
    demo.add_argument("--pause", type=float, default=1.5, help="of --web: seconds from one visit to the next")
    demo.set_defaults(command=_demo)

    tree = add("tree", help="draw a class tree")
    tree.add_argument("tree", nargs="?", default="elasticc")
    tree.set_defaults(command=_tree)

    add_simulate(add("simulate", help="simulate light curves of the classes of a tree as the survey would see them"))

    realism = add("realism", help="how near a simulated survey comes to other light curves, and what it leaks")
    realism.add_argument("sky", type=Path, help="the simulated survey")
    realism.add_argument("data", type=Path, nargs="?", help="labelled light curves not simulated here; without: leaks")
    realism.add_argument("-o", "--output", type=Path, help="folder of tables, figures and JSON")
    realism.add_argument("-n", "--per-class", type=int, default=500, help="objects of a class drawn at most")
    realism.add_argument("--days", nargs="+", type=float, default=[2, 8, 64], help="days after the first detection")
    realism.add_argument("--seeds", type=int, default=3, help="draws of the objects, with boosters of their own")
    realism.add_argument("--tree", help="tree of the labels of the data")
    realism.add_argument("--markdown", action="store_true", help="print Markdown")
    realism.set_defaults(command=_realism)

    add_train(add("train", help="train a classifier by a run's TOML"))

    cross = add("crossvalidate", help="train and score a run fold by fold")
    cross.add_argument("run", type=Path)
    cross.add_argument("data", type=Path)
    cross.add_argument("-o", "--output", type=Path, required=True, help="folder of folds, scores and figures")
    add_changes(cross)
    add_storage(cross)
    cross.add_argument("-j", "--jobs", type=int, default=1, help="folds trained at the same time")
    cross.add_argument("--view", choices=get_args(View), help="this view only, of those that the run has")
    cross.add_argument("--foldings", nargs="+", help="of a search: these foldings only, of those that the run has")
    cross.add_argument("--seeds", nargs="+", type=int, help="these seeds in place of the run's")
    cross.set_defaults(command=_crossvalidate)

    submit = add("submit", help="answer the MALLORN challenge: train a run that seeks one class, call the test objects")
    submit.add_argument("run", type=Path)
    submit.add_argument("data", type=Path, help="the challenge's folder")
    submit.add_argument("-o", "--output", type=Path, required=True, help="the CSV file to write")
    add_storage(submit)
    submit.add_argument("--search", type=Path, help="folder of the run's cross-validation")
    submit.add_argument("-j", "--jobs", type=int, default=1, help="folds trained at the same time")
    submit.set_defaults(command=_submit)

    compare = add("compare", help="cross-validations side by side, and how much better the first is than each other")
    compare.add_argument("folders", nargs="+", type=Path, help="folders of cross-validations on the same objects")
    compare.add_argument("--markdown", action="store_true", help="print Markdown")
    compare.set_defaults(command=_compare)

    evaluate = add("evaluate", help="score a classifier on labelled light curves")
    evaluate.add_argument("model", help="a shipped classifier or a folder")
    evaluate.add_argument("data", type=Path)
    evaluate.add_argument("-o", "--output", type=Path, help="folder of scores and figures")
    evaluate.add_argument("--report", type=Path, help="HTML page of all that ORACLE's paper shows, both views")
    evaluate.add_argument("--beside", nargs="+", default=[], metavar="MODEL", help="classifiers to compare it with")
    add_view(evaluate)
    evaluate.set_defaults(command=_evaluate)

    calibrate = add("calibrate", help="calibrate a classifier on labelled objects that taught it nothing")
    calibrate.add_argument("model", help="a shipped classifier or a folder")
    calibrate.add_argument("data", type=Path)
    calibrate.add_argument("-o", "--output", type=Path, required=True, help="folder of the calibrated classifier")
    calibrate.add_argument("--test", type=Path, help="other labelled objects to measure on, in place of half of them")
    calibrate.add_argument("--prior", action="store_true", help="the class mix of the objects measured on is known")
    calibrate.add_argument("--context", nargs="+", choices=get_args(Context), default=get_args(Context))
    calibrate.add_argument("--level", type=float, nargs="+", help="levels to promise; the first is measured")
    calibrate.add_argument("--seed", type=int, default=0)
    calibrate.add_argument("--figures", type=Path, help="folder of figures to draw")
    calibrate.add_argument("--markdown", action="store_true", help="print Markdown")
    calibrate.set_defaults(command=_calibrate)

    add_classify(add("classify", help="classify light curves into a Parquet file, or a HATS catalogue into another"))
    add_card(add("card", help="print a classifier's model card as Markdown, or put figures on it"))
    add_aliens(add("aliens", help="let a classifier know what is strange, by labelled objects that taught it nothing"))
    add_export(add("export", help="write a classifier as one ONNX file, for pipelines without Telperion"))
    add_stream(add("stream", help="classify alerts as they come, losing and doubling none"))
    add_serve(add("serve", help="show a sky in the browser as it is classified, and answer uploads"))
    add_rank(add("rank", help="order live objects for a night's spectroscopy"))
    return parser


def _tree(arguments: argparse.Namespace) -> None:
    Console().print(telperion.Taxonomy.load(arguments.tree).draw(), highlight=False)


def _realism(arguments: argparse.Namespace) -> None:
    from telperion.realism.compare import compare
    from telperion.realism.leaks import leaks
    from telperion.realism_report import show_leaks, show_realism, write_realism_report
    from telperion.style import load_matplotlib

    if arguments.output:
        load_matplotlib()
    sky, seeds = telperion.read(arguments.sky), range(arguments.seeds)
    if arguments.data is None:
        show_leaks(leaks(sky, per_class=arguments.per_class, seeds=seeds), markdown=arguments.markdown)
        return
    data = telperion.read(arguments.data)
    with progress_bar() as bar:
        found = compare(
            sky, data, days=arguments.days, per_class=arguments.per_class, seeds=seeds, tree=arguments.tree,
            progress=bar,
        )  # fmt: skip
    show_realism(found, markdown=arguments.markdown)
    if arguments.output:
        names = {"simulated": str(arguments.sky), "real": str(arguments.data)}
        page = write_realism_report(arguments.output, found, command=_command(), **names)
        Console(stderr=True).print(f"report: {page}")


def _crossvalidate(arguments: argparse.Namespace) -> None:
    from telperion.crossvalidate import crossvalidate, histories
    from telperion.run import Run

    run = Run.load(arguments.run, arguments.set).with_storage(arguments.storage)
    views = (arguments.view,) if arguments.view else run.views
    foldings = tuple(arguments.foldings or run.foldings)
    run = replace(run, views=views, foldings=foldings, seeds=tuple(arguments.seeds or run.seeds))
    if run.target:
        _find(run, arguments)
        return
    light_curves = telperion.read(arguments.data)
    with progress_bar() as bar:
        results = crossvalidate(run, light_curves, folder=arguments.output, jobs=arguments.jobs, progress=bar)
    learning = histories(run, arguments.output)
    _report([(run.name, result) for result in results], arguments, arguments.output / "report", learning)


def _find(run: Run, arguments: argparse.Namespace) -> None:
    from telperion.find import find, importances
    from telperion.search_report import show_searches, write_search_report

    light_curves = telperion.read(arguments.data)
    with progress_bar() as bar:
        searches = find(run, light_curves, folder=arguments.output, jobs=arguments.jobs, progress=bar)
    show_searches({run.name: searches}, optimistic=run.optimistic)
    page = write_search_report(
        arguments.output / "report", run.name, searches, light_curves=light_curves, data=str(arguments.data),
        importance=importances(run, arguments.output), command=_command(), optimistic=run.optimistic,
    )  # fmt: skip
    Console().print(f"report: {page}")


def _submit(arguments: argparse.Namespace) -> None:
    from telperion.find import fit_all
    from telperion.run import Run
    from telperion.submit import submit

    folder = arguments.search or arguments.output.with_name(arguments.output.name + ".training")
    run = Run.load(arguments.run).with_storage(arguments.storage)
    light_curves = telperion.read(arguments.data)
    with progress_bar() as bar:
        classifier = fit_all(run, light_curves, folder=folder, jobs=arguments.jobs, progress=bar)
    called = submit(classifier, arguments.data, arguments.output)
    Console().print(f"{called.sum():,} of {len(called):,} objects called {run.target}: {arguments.output}")


def _compare(arguments: argparse.Namespace) -> None:
    from telperion.compare import tables
    from telperion.tables import to_markdown, to_rich

    for table in tables(arguments.folders):
        if arguments.markdown:
            print(to_markdown(table), end="\n\n")  # noqa: T201 - as it is, to be copied
        else:
            Console().print(to_rich(table))


def _evaluate(arguments: argparse.Namespace) -> None:
    from telperion.demo.light_curves import training_note
    from telperion.examination.examine import score
    from telperion.examination_report import names, report_on

    models = [arguments.model, *arguments.beside]
    classifiers = {name: telperion.load(model) for name, model in zip(names(models), models, strict=True)}
    light_curves, days, context = telperion.read(arguments.data), arguments.days or PHASES, arguments.context
    if arguments.report:
        views = (arguments.view,) if arguments.view else get_args(View)
        with progress_bar() as bar:
            examined = report_on(
                arguments.report, classifiers, light_curves, data=arguments.data, days=days, views=views,
                context=context, command=_command(), progress=bar,
            )  # fmt: skip
        runs = [(each.name, run) for each in examined for run in each.evaluations.values()]
    else:
        view = arguments.view
        runs = [
            (name, score(classifier, light_curves, days=days, view=view, context=context))
            for name, classifier in classifiers.items()
        ]
    _report(runs, arguments, arguments.output)
    if arguments.report:
        Console().print(f"page: {arguments.report}")
    for classifier in classifiers.values():
        if classifier.card:
            Console().print(training_note(classifier))


def _report(
    runs: list[tuple[str, Evaluation]],
    arguments: argparse.Namespace,
    folder: Path | None,
    histories: Mapping[str, Sequence[Mapping[str, float]]] | None = None,
) -> None:
    from telperion.report import show, write_report

    show(runs, days=runs[0][1].days)
    if folder:
        title, data = runs[0][0], str(arguments.data)
        page = write_report(folder, runs, title=title, data=data, command=_command(), histories=histories)
        Console().print(f"report: {page}")


def _calibrate(arguments: argparse.Namespace) -> None:
    from telperion.calibrating import ask, calibrate, halves
    from telperion.calibration_report import always_right, draw_trust, measured_card, show_trust, trust
    from telperion.calibration_scores import mix_of
    from telperion.calibration_tables import always_table, calibration_table, promise_table
    from telperion.promise import LEVELS
    from telperion.style import load_matplotlib

    if arguments.figures:
        load_matplotlib()
    classifier, level = telperion.load(arguments.model), (arguments.level or [0.9])[0]
    test = telperion.read(arguments.test) if arguments.test else None  # first, so that what is wrong is known at once
    with progress_bar() as bar:
        answers = ask(classifier, telperion.read(arguments.data), contexts=arguments.context, progress=bar)
        made = calibrate(classifier, answers, levels=sorted(arguments.level or LEVELS), seed=arguments.seed)
        if test is not None:
            answers = ask(classifier, test, contexts=arguments.context, progress=bar)
            card = measured_card(made, answers, data=arguments.test.name, command=_command())
            made = replace(made, card=card)
        else:
            answers = [each[~halves(each, arguments.seed)] for each in answers]
        made.save(arguments.output)
    prior = mix_of(answers[0].labels, made.tree) if arguments.prior else None
    measured = trust(made, answers, prior=prior, level=level)
    tables = (
        calibration_table(measured, made.tree.leaves),
        promise_table(measured, level=level),
        always_table(always_right(made, answers, prior=prior, level=level), level),
    )
    show_trust(tables, markdown=arguments.markdown)
    if arguments.figures:
        draw_trust(arguments.figures, measured, made.tree, level=level)
    Console(stderr=True).print(f"saved {arguments.output}")


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.web:
        if arguments.data is not None:
            raise ValueError("--web shows a simulated night: telperion serve shows light curves of yours, sent to it")
        from telperion.demo.web import watch

        watch(
            arguments.model, keep=arguments.keep, n=arguments.n, seed=arguments.seed, port=arguments.port,
            pause=arguments.pause,
        )  # fmt: skip
        return
    if arguments.data is None:
        from telperion.demo.play import play

        play(arguments.model, keep=arguments.keep, n=arguments.n, seed=arguments.seed)
        return
    from telperion.demo.light_curves import show

    show(telperion.load(arguments.model), arguments.data)


def _command() -> str:
    """Say how this was called, passwords in addresses left out."""
    return "telperion " + re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1@", " ".join(sys.argv[1:]))
