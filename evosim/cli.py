"""The `evosim` command. Results go to stdout, progress and errors to stderr.

Every import that a command needs stands inside it: `evosim --help` loads neither the engine nor
pandas.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import evosim
from evosim.cli_errors import exit_code_of, one_line_warnings, say
from evosim.cli_options import (
    Checkpoint,
    Debug,
    Debugging,
    Plugins,
    ResultDirectory,
    Resume,
    RunDirectory,
    ScenarioFile,
    Seed,
    Settings,
    Strict,
    Threads,
)
from evosim.errors import UserError

if TYPE_CHECKING:
    from evosim.results import Run

app = typer.Typer(
    name="evosim",
    help="Evolve populations of tiny agents; contrast fitness as the objective with selected, "
    "context-specific adaptations.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.

    Returns
    -------
    int
        The exit code, see `evosim.cli_errors`.
    """
    Debugging.on = False
    # Building the scenario's models makes some 100,000 objects that live on; looking through them
    # at Python's default of every 700 takes an eighth of `evosim check`.
    gc.set_threshold(50_000)
    given = list(sys.argv[1:] if arguments is None else arguments)
    one_line_warnings()

    def invoke() -> object:
        # Not command.main(): it would turn Ctrl-C into a bare exit code.
        command = typer.main.get_command(app)
        with command.make_context("evosim", given or ["--help"]) as context:
            return command.invoke(context)

    return exit_code_of(invoke, lambda: Debugging.on)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"evosim {evosim.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


@app.command()
def run(
    file: ScenarioFile,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="default: results/<name of the file>")
    ] = None,
    seed: Seed = None,
    replicates: Annotated[
        int | None, typer.Option(min=1, help="independent populations per arm")
    ] = None,
    agents: Annotated[int | None, typer.Option(min=2, help="agents per population")] = None,
    generations: Annotated[int | None, typer.Option(min=1, help="how long to run")] = None,
    settings: Settings = None,
    arms: Annotated[
        list[str] | None,
        typer.Option("--arm", metavar="NAME", help="run this arm only; may be repeated"),
    ] = None,
    threads: Threads = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="draw the figures")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the results in the directory")
    ] = False,
    checkpoint: Checkpoint = "10min",
    resume: Resume = False,
    strict: Strict = False,
    plugins: Plugins = None,
    debug: Debug = False,
) -> int:
    """Run a scenario, judge its claims, write its tables and figures."""
    from evosim.api import run as run_scenario
    from evosim.progress import shown_progress
    from evosim.report import make_console, show_claims, show_summary
    from evosim.scenario import parse_assignments

    with shown_progress() as progress:
        done = run_scenario(
            file,
            out=out or Path("results") / file.stem,
            threads=threads,
            progress=progress,
            overwrite=overwrite,
            checkpoint=checkpoint,
            resume=resume,
            arms=arms or (),
            plugins=plugins or (),
            command=["evosim", *sys.argv[1:]],
            seed=seed,
            replicates=replicates,
            agents=agents,
            generations=generations,
            set=parse_assignments(settings or []),
        )
    console = make_console()
    show_claims(console, done)
    if plots:
        _draw(done)
    show_summary(console, done)
    return strict_code(done) if strict else 0


@app.command()
def fork(
    checkpoint_of: Annotated[
        Path, typer.Argument(metavar="DIR", help="directory of a run, finished or interrupted")
    ],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="default: <DIR>-fork")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="what changes; may be repeated"),
    ] = None,
    arm: Annotated[
        str | None, typer.Option(metavar="LABEL", help="whose state; default: the file's own arm")
    ] = None,
    generations: Annotated[
        int | None, typer.Option(min=1, help="how many more; default: as many again")
    ] = None,
    threads: Threads = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="draw the figures")] = True,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace the results in the directory")
    ] = False,
    checkpoint: Checkpoint = "10min",
    resume: Resume = False,
    plugins: Plugins = None,
    debug: Debug = False,
) -> None:
    """Continue a run's last state under other parameters, beside the same state unchanged."""
    from evosim.forks import fork as fork_run
    from evosim.progress import shown_progress
    from evosim.report import make_console, show_summary
    from evosim.scenario import parse_assignments

    with shown_progress() as progress:
        done = fork_run(
            checkpoint_of,
            out or checkpoint_of.with_name(f"{checkpoint_of.name}-fork"),
            threads,
            progress,
            set=parse_assignments(settings or []),
            arm=arm,
            generations=generations,
            overwrite=overwrite,
            checkpoints=checkpoint,
            resume=resume,
            plugins=plugins or (),
            command=["evosim", *sys.argv[1:]],
        )
    if plots:
        _draw(done)
    show_summary(make_console(), done)


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="scenario and study files")
    ],
    plugins: Plugins = None,
    debug: Debug = False,
) -> int:
    """Check scenario and study files without running them."""
    from evosim.api import load_plugin
    from evosim.catalogue import describe_file

    for plugin in plugins or ():
        load_plugin(plugin)
    code = 0
    for file in files:
        try:
            typer.echo(f"ok {file}: {describe_file(file)}")
        except UserError as error:
            say(error.located(file, None).one_line())
            code = error.exit_code
    return code


@app.command("list")
def list_scenarios(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder")] = Path("scenarios"),
    debug: Debug = False,
) -> int:
    """List the scenarios of a folder."""
    from evosim.catalogue import list_folder
    from evosim.report import make_console, make_table

    entries = list_folder(folder)
    rows = [
        [entry.file.name, ", ".join(entry.systems), entry.title, entry.takes]
        for entry in entries
        if entry.error is None
    ]
    make_console().print(
        make_table(["file", "systems", "title", "slow"], rows, whole=["file", "systems"])
    )
    broken = [entry.error for entry in entries if entry.error is not None]
    for error in broken:
        say(error.one_line())
    return UserError.exit_code if broken else 0


@app.command()
def study(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="study file (TOML)")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="default: results/<name of the file>")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes, one run each; default: one per core")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="of a running Dask cluster that does the runs"),
    ] = None,
    any_code: Annotated[
        bool, typer.Option("--any-code", help="go on although the code has changed since")
    ] = False,
    plugins: Plugins = None,
    debug: Debug = False,
) -> int:
    """Do all runs of a study that have no results yet."""
    from evosim.progress import shown_progress
    from evosim.report import make_console, show_study
    from evosim.studies.conduct import study as do_study

    with shown_progress(unit="runs") as progress:
        done = do_study(
            file,
            out or Path("results") / file.stem,
            workers,
            progress,
            scheduler=scheduler,
            any_code=any_code,
            plugins=plugins or (),
            command=["evosim", *sys.argv[1:]],
        )
    show_study(make_console(), done)
    return 1 if done.counts()["failed"] else 0


@app.command()
def show(directory: ResultDirectory, strict: Strict = False, debug: Debug = False) -> int:
    """Show the claims and the summary of a finished run, or how far a study is."""
    from evosim.report import make_console, show_claims, show_study, show_summary
    from evosim.results import load
    from evosim.studies.store import Store

    if Store(directory).exists:
        from evosim.studies.results import load_study

        show_study(make_console(), load_study(directory))
        return 0
    done, console = load(directory), make_console()
    show_claims(console, done)
    show_summary(console, done)
    return strict_code(done) if strict else 0


@app.command()
def plot(
    directory: RunDirectory,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="default: figures/ in the run's directory")
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw the figures of a finished run again."""
    from evosim.results import load

    for path in load(directory).plot(out):
        typer.echo(str(path))


@app.command()
def predict(
    directory: RunDirectory,
    assay: Annotated[
        list[str] | None,
        typer.Option(
            "--assay",
            metavar="NAME",
            help="what to predict (default: as [predict] says, else all assays and novel contexts)",
        ),
    ] = None,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", metavar="NAME", help="default: all arms")
    ] = None,
    threads: Threads = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Ask what agents would do as pursuers of payoff, and what as selected; score both."""
    from evosim.api import load_plugin
    from evosim.report import make_console, show_foresight
    from evosim.results import load

    for path in plugin or []:
        load_plugin(path)
    found = load(directory).predict(assay or (), arm or (), threads=threads or 1)
    show_foresight(make_console(), found)


@app.command()
def schema(
    study: Annotated[bool, typer.Option("--study", help="of study files instead")] = False,
) -> None:
    """Print the JSON Schema of scenario files, for editors."""
    if study:
        from evosim.studies.file import schema_text
    else:
        from evosim.scenario.schema import schema_text
    typer.echo(schema_text(), nl=False)


@app.command()
def validate(
    pattern: Annotated[
        str, typer.Option("-k", metavar="NAME", help="only results whose id or name holds this")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="fewer replicates, wider tolerances")
    ] = False,
    threads: Threads = None,
    debug: Debug = False,
) -> int:
    """Measure the simulator against theory, with the tolerances it predicts."""
    from evosim.report import make_console, validation_table
    from evosim.validate import matching, run_suite

    chosen = matching(pattern)
    if not chosen:
        raise UserError(f"no theory result matches '{pattern}'")
    rows = []
    for result in chosen:
        if sys.stderr.isatty():
            say(f"measuring {result.id} {result.name}")
        rows += run_suite(result.name, quick, threads)
    make_console().print(validation_table(rows))
    off = sum(not row.ok for row in rows)
    say(f"{len(rows) - off} of {len(rows)} quantities agree with theory")
    return 1 if off else 0


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="fewer sizes, rounds and seconds")] = False,
    peers: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="only these programs; default: all")
    ] = None,
    debug: Debug = False,
) -> None:
    """Measure agent-steps per second against plain C and other tools."""
    from evosim.bench.harness import main as measure

    measure(quick, peers.split(",") if peers else None)


@app.command()
def serve(
    file: ScenarioFile,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8765,
    arm: Annotated[
        str | None, typer.Option(metavar="LABEL", help="default: the file's own arm")
    ] = None,
    seed: Seed = None,
    settings: Settings = None,
    sliders: Annotated[
        list[str] | None,
        typer.Option(
            "--slider",
            metavar="KEY",
            help="number that can be moved; may be repeated; default: what arms change",
        ),
    ] = None,
    plugins: Plugins = None,
    debug: Debug = False,
) -> None:
    """Show one population of a scenario in a browser: sliders, trajectories, map, ledger."""
    from evosim.api import load_plugin
    from evosim.page.server import serve as serve_page
    from evosim.scenario import parse_assignments

    for plugin in plugins or ():
        load_plugin(plugin)
    serve_page(
        file,
        host=host,
        port=port,
        arm=arm,
        seed=seed,
        sliders=sliders or (),
        settings=parse_assignments(settings or []),
    )


@app.command()
def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of scenarios")] = Path(
        "scenarios"
    ),
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder of the results")] = Path(
        "results"
    ),
    threads: Threads = None,
    slow: Annotated[
        bool, typer.Option("--slow/--no-slow", help="run the files marked slow as well")
    ] = True,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="draw the figures")] = True,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="this scenario; may be repeated")
    ] = None,
    strict: Strict = False,
    debug: Debug = False,
) -> int:
    """Run every scenario that changed since its results, then show all claims in one table."""
    from evosim.report import claims_table, make_console
    from evosim.reproduce import reproduce_folder

    outcome = reproduce_folder(
        folder, out, threads=threads, slow=slow, plots=plots, only=only or ()
    )
    make_console().print(claims_table(outcome.claims, source=True))
    typer.echo(outcome.summary)
    if outcome.errors:
        return UserError.exit_code
    return 1 if strict and outcome.failed else 0


def strict_code(run: Run) -> int:
    """Return 1 if a claim of the run fails for no reason that is given, else 0."""
    return 1 if run.verdicts().get("fails") else 0


def _draw(run: Run) -> None:
    """Draw the figures; the tables are safe already, so say how to try again."""
    again = f"the tables are complete; draw the figures with 'evosim plot {run.path}'"
    try:
        run.plot()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(again) from None
    except UserError as error:
        raise UserError(f"{error}; {again}") from error
    except Exception:
        say(again)
        raise
