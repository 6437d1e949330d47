//! The texts below the help of the verbs that only developers have: examples, and how to read a table.

/// Below that of `conform`.
pub(super) const CONFORM: &str = "\
A small Go program is built with an overlay that makes the runtime's own profiling buffer reachable.
Both buffers get the same operations: writes, reads that poll or sleep, close, over small rings,
with records of all sizes and counts about to wrap. Every answer is compared: records, tags, end of
file, whether the sleeping reader was woken, and the death of the runtime.

The toolchains are those of --go, else those in SIGPROOF_GO (GOROOTs, separated as in PATH), else all
that are found: go on the PATH, /usr/local/go, /usr/lib/go-*, ~/sdk/go*. Each needs its sources.

Examples:
  {program} conform                          every toolchain found, about half a minute
  {program} conform --go ~/go-tree           your own tree, which is built again
  {program} conform --cases 5000000          longer
  {program} conform --policy half-full       where a runtime differs from another wake policy
  {program} conform --sequence 'new header=0 words=8 tags=2 at=0,0; sleep; close; read'

The table at the end has a line for each runtime:
  runtime        the version of the toolchain
  wake policy    how a write wakes a sleeping reader, found by probes: every-record-keeps-flag
                 (dies of a double wake-up in the end), every-record, half-full
  sequences      compared sequences; per second, with all runtimes at a time
  operations     in these sequences
  deaths         foreseen double wake-ups, which kill the runtime: how many were tried, and died
  decisions      intended differences, mostly of misuse, that were confirmed
  control        the same comparison with a policy that the runtime does not have: must disagree
  disagreements  sequences with different answers; the shortest is printed, and kept in a file
  verdict        as-expected or unexpected
";

/// Below that of `sanitize`.
pub(super) const SANITIZE: &str = "\
On two cores either takes about 4 minutes the first time, and half a minute after that. The builds
are kept apart from the usual one, in `sanitize` below the target folder. If the machine lacks what
a sanitizer needs, it is skipped: the reason and the remedy are printed, and the exit code is 4.
";

/// Below that of `agree`.
pub(super) const AGREE: &str = "\
Examples:
  {program} agree
  {program} agree sigqueue --note pipe

Stress sends real signals at random times, step sends a real signal at every instruction, and a
model explores every interleaving. If one technique has seen a bad outcome and another technique
that ran has not, they disagree: the disagreement is printed with the result of all three, and the
exit code is 1. Outcomes that may occur are not compared, and neither are data races, which only a
model can see.
";
