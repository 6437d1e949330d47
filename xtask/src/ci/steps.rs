//! The steps of `cargo xtask ci`, in their order. A step that is added here runs in `.ci/run` and in the
//! workflow as well.

/// A step: its name, and what it takes.
pub struct Step {
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
}

/// What a step takes.
pub enum Kind {
    /// A cargo command.
    Cargo(Cargo),
    /// The workflows of `.github`, by actionlint. Skipped where there is none, unless the user names this
    /// step.
    Workflows,
    /// `cargo xtask sanitize address`. Skipped where the machine lacks what it needs, unless the user
    /// names this step.
    Sanitizers,
    /// `cargo xtask model --weaken`.
    Weaken,
    /// Random programs over the explorer of graphs and over the enumerator. The tests compare some of them
    /// anyway, so this step runs only where the user names it.
    Random,
    /// `cargo xtask test`.
    Test,
}

/// A cargo command, and what must be there for it.
pub struct Cargo {
    pub arguments: &'static [&'static str],
    /// An environment variable.
    pub environment: Option<(&'static str, &'static str)>,
    /// The subcommand that must answer to `--version`, with the way to get it.
    pub needs: Option<(&'static str, &'static str)>,
}

/// The subcommand of the lints.
const CLIPPY: Option<(&str, &str)> = Some(("clippy", "rustup component add clippy"));

/// The lints of the code that is compiled for the models only, over one engine: its profile, whose name its
/// target folder has too, and its flag.
macro_rules! lints_of_models {
    ($profile:literal, $flag:literal) => {
        Kind::Cargo(Cargo {
            arguments: &[
                "clippy",
                "--profile",
                $profile,
                "--target-dir",
                concat!("target/", $profile),
                "--workspace",
                "--bin",
                "sigproof-model",
                "--test",
                "model",
                "--",
                "-D",
                "warnings",
            ],
            environment: Some(("RUSTFLAGS", $flag)),
            needs: CLIPPY,
        })
    };
}

/// All steps, in their order.
pub const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        kind: Kind::Cargo(Cargo {
            arguments: &["fmt", "--all", "--check"],
            environment: None,
            needs: Some(("fmt", "rustup component add rustfmt")),
        }),
    },
    Step {
        name: "clippy",
        kind: Kind::Cargo(Cargo {
            arguments: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            environment: None,
            needs: CLIPPY,
        }),
    },
    Step { name: "clippy-models", kind: lints_of_models!("graph", "--cfg sigproof_graph") },
    Step { name: "clippy-loom", kind: lints_of_models!("loom", "--cfg loom") },
    // The tests of the example crate are sweeps in the other builds, and models in this one.
    Step {
        name: "example-models",
        kind: Kind::Cargo(Cargo {
            arguments: &[
                "test",
                "--quiet",
                "--profile",
                "graph",
                "--target-dir",
                "target/graph",
                "--workspace",
                "--test",
                "example",
            ],
            environment: Some(("RUSTFLAGS", "--cfg sigproof_graph")),
            needs: None,
        }),
    },
    Step {
        name: "doc",
        kind: Kind::Cargo(Cargo {
            arguments: &["doc", "--workspace", "--no-deps"],
            environment: Some(("RUSTDOCFLAGS", "-D warnings")),
            needs: None,
        }),
    },
    Step { name: "workflows", kind: Kind::Workflows },
    Step { name: "sanitizers", kind: Kind::Sanitizers },
    Step { name: "weaken", kind: Kind::Weaken },
    Step { name: "random", kind: Kind::Random },
    Step { name: "test", kind: Kind::Test },
];

/// The names of all steps.
pub fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}
