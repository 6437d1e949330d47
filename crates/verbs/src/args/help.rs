//! The texts below the help: examples, how to read a table, exit codes. `{program}` is the command that the
//! user runs.

use sigproof_report::Exit;

/// The exit codes, below every help.
pub fn exit_codes() -> String {
    format!("Exit codes:\n{}", Exit::table().trim_end())
}

/// Below the help of all.
pub const START: &str = "\
Start with:
  {program} explain 4711      why does process 4711 hang?
  {program} stress            see the bugs, and their fixes under the same signals
  {program} model             explore all executions, with a signal at each operation
  {program} step              a real signal at every instruction of each window
  {program} list              the cases, setups, windows and notes
  {program} stress --help     how to choose, and how to read the table
";

/// Below that of `model`.
pub const MODEL: &str = "\
A model runs the same sources as the other techniques, on a simulated kernel. The engine explores
every order of the threads' operations and every value that the memory model allows a load to return.
The handler runs at every operation of the interrupted thread, also while that thread sleeps.
The default engine explores execution graphs, each once. --engine loom explores interleavings within
a bound of preemptions: a second opinion. Each engine has a program with the models of its own,
sigproof-model-graph and sigproof-model. It lies beside this command, or the first run builds it from
the checkout around the current folder, which takes about a minute.

Examples:
  {program} model                                        every model, at most 90 seconds
  {program} model profbuf --note futex                   part of a name; one note
  {program} model darwin-profbuf-blocking-read --variant broken    the counterexample, step by step
  {program} model sigqueue --budget 10m                  exit code 3 if the time runs out
  {program} model --deep --budget 1h                     one more delivery
  {program} model sigqueue --engine both                 whether the engines agree
  {program} model --weaken                               what breaks if an ordering is weakened

The table at the end has a line for each model:
  case       the bug, or the part of the core that is modelled
  variant    broken or fixed; in brackets the flavour, which tells apart several of a kind
  note       the primitive on which the reader sleeps
  mode       blocking: the reader sleeps on the note; non-blocking: it polls
  outcomes   the ends of executions with their number; over loom, each bug with its number of plans
  expected   must X: found at least once; may X: allowed; all other outcomes must never be found
  first      time from the start of the model to its first counterexample
  executions  executions explored
  plans      over loom: ways of placing the signals, time-outs and spurious wake-ups that were explored;
             over graphs: searches, one for each number of these things that was tried
  exhausted  yes: everything was explored; no: the bound of the exploration, or what ended it; weak
             failures: this bound of --weak-failures left executions out
  verdict    as-expected, unexpected, inconclusive (a budget ran out) or skipped (with a reason)

Below the table, each kind of bad outcome has a counterexample: a column for each thread, the steps of
a handler below the step that it interrupted, and the command that repeats it.

A model does not see compiler reordering between a thread and its own handler, or load buffering;
over loom, it does not see what SeqCst adds to AcqRel either. Its libc and kernel take one step where
the real ones take many.
";

/// Below that of `step`.
pub const STEP: &str = "\
A window is a piece of code between two marks: a note's sleep, a buffer's write. Left alone it takes
a path of instructions, those of libc and of the vDSO included. A boundary is a place on that path
where a signal can come: before an instruction, or asleep in a system call. A sweep runs the window
once for each boundary, delivers a real signal there, resumes every thread and grades the outcome.
If the outcome is bad, the boundary is vulnerable.

An engine is the means by which a boundary is reached:
  undo         copies of one process that steps: each takes the signal, which is then undone in it
  breakpoint   ptrace, and a hardware breakpoint at the boundary
  single-step  ptrace, instruction by instruction
  trap-flag    the processor's trap flag, for where ptrace is refused
The first one that works here is taken. The windows that undo cannot do are swept by breakpoint,
unless --engine names undo. If none does, or the one that --engine names does not,
nothing is swept: what is missing and the remedy are printed, and the exit code is 4.

Examples:
  {program} step                                         every window
  {program} step sigqueue --note sema                    part of a name; one note
  {program} step --window sleep --variant broken --map   windows of one name, with a map of each
  {program} step profbuf --engine single-step            with another engine
  {program} step darwin-sigqueue-note/broken/sema@receive --k 46    one boundary of one window
  {program} step --report json=out.json --report junit=out.xml

The table at the end has a line for each window:
  case       the bug, or the part of the core that is swept
  setup      broken or fixed, and over which note, in which mode
  window     which piece of its code
  boundaries  the length of the path; 160 of 167: only 160 of them got a signal, the others were not
             reached, or not chosen
  vulnerable  boundaries at which a signal has a bad outcome, and their part of those that got one
  outcomes   the ends of executions, with their number
  time       the duration of the sweep
  verdict    as-expected, unexpected, inconclusive (a budget ran out) or skipped (with a reason)

Below the table, each window with a bad outcome has a finding: what happened in one sentence, and
the command that repeats it, `{program} replay` with a token that names the boundary. The stacks
of a hang are printed if at most 4 windows are chosen, and if the hang must never occur: at most
8 frames on each side of the signal. --verbose prints all threads and frames of all findings.
A map shows which boundaries are vulnerable, and what lies there. It is printed for a window that
is vulnerable and must not be, for each window if at most 4 are chosen, and for all with --map.
";

/// Below that of `stress`.
pub const STRESS: &str = "\
Examples:
  {program} stress                                        every case, about half a minute
  {program} stress darwin-profbuf-blocking-read           one case, broken and fixed
  {program} stress profbuf --note sema --mode blocking    part of a name; one note, one mode
  {program} stress 'darwin-*' --duration 5m               a pattern, and more time
  {program} stress --variant fixed --attempts 10000       hunt for false verdicts
  {program} stress --report json=out.json --report junit=out.xml

The table at the end has a line for each setup of each case:
  case       the bug; `{program} list` links to where it was reported
  variant    broken: the historical bug; fixed: the upstream fix, or a design that never had the bug;
             in brackets the flavour, which tells apart several of a kind
  note       the primitive on which the reader sleeps, and which the handler wakes
  mode       blocking: the reader sleeps on the note; non-blocking: it polls
  outcomes   the ends of attempts, with their number
  expected   must X: seen at least once; may X: allowed; all other outcomes must never be seen
  first      time from the start of the setup to its first bad outcome
  in window  signals that hit the instructions which the case is about: the coverage
  verdict    as-expected, unexpected, inconclusive (a budget ran out) or skipped (with a reason)

If more than 4 setups are chosen, the fixed setups of a case that are as expected, with the same
outcomes, share a line: the counts are sums. --verbose prints a line for each.

On a terminal that is too narrow for these columns, variant, flavour, note and mode are one column,
setup, and expected is left out; a report has it.

Below the table, each setup with a bad outcome has a finding: what happened in one sentence, and
the command that repeats it. A hang also has the stacks of the threads that it is about: at most
8 frames on each side of the signal. If more than 4 setups are chosen, an expected finding has
stacks only if it is the first with its outcome, and then each side is one line of at most 4 frames;
expected findings of a case that say the same are printed once, those of fixed setups not at all.
--verbose prints all threads and frames of all findings; a report always has them.

Colours are for a terminal; NO_COLOR and TERM=dumb switch them off, CLICOLOR_FORCE=1 forces them.
";
