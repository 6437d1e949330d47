//! The man pages and the completions, made of the same grammar as the help.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use sigproof_report::Exit;
use sigproof_verbs::args::of_program;
use sigproof_verbs::session::{Concluded, Session};
use sigproof_verbs::trouble::Trouble;

use crate::{Cli, TOOL};

/// The arguments of `completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Below the help of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  {program} completions bash > ~/.local/share/bash-completion/completions/sigproof
  {program} completions zsh > ~/.zfunc/_sigproof           in a folder of $fpath
  {program} completions fish > ~/.config/fish/completions/sigproof.fish
";

/// The arguments of `man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// Write a page for the command and one for each verb into this folder, which is made
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

/// Below the help of `man`.
pub const MAN: &str = "\
Examples:
  {program} man | man -l -                             read it
  {program} man --to ~/.local/share/man/man1           sigproof(1), sigproof-explain(1) and the others
";

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs, session: &mut Session<'_>) -> Concluded {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut grammar(), TOOL.program.0, &mut text);
    Ok(session.out.say(&String::from_utf8_lossy(&text)).into())
}

/// Prints the man page, or writes all of them.
pub fn man(args: &ManArgs, session: &mut Session<'_>) -> Concluded {
    let all = for_pages();
    let Some(folder) = &args.to else {
        let page = page(&all).map_err(|error| cannot(&"the page", "make", &error))?;
        return Ok(session.out.say(&page).into());
    };
    std::fs::create_dir_all(folder).map_err(|error| cannot(&folder.display(), "make", &error))?;
    for command in [&all].into_iter().chain(all.get_subcommands()) {
        write(command, folder)?;
    }
    Ok(Exit::AsExpected.into())
}

fn write(command: &Command, folder: &Path) -> Result<(), Trouble> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    let written = page(command).and_then(|page| std::fs::write(&path, page));
    written.map_err(|error| cannot(&path.display(), "write", &error))
}

fn cannot(what: &dyn std::fmt::Display, verb: &str, error: &io::Error) -> Trouble {
    Trouble::environment(format!("cannot {verb} {what}: {error}; name a folder that you may write to"))
}

/// The page of a command, in the form that man(1) reads.
fn page(command: &Command) -> io::Result<String> {
    let mut text = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    let mut notes = Vec::new();
    man.render_extra_section(&mut notes)?;
    // Its tables and examples keep their lines: man(1) fills others.
    let notes = String::from_utf8_lossy(&notes).replacen(".SH EXTRA", ".SH NOTES\n.nf", 1);
    Ok(format!("{}{notes}.fi\n", String::from_utf8_lossy(&text)))
}

fn grammar() -> Command {
    of_program(Cli::command(), TOOL.program)
}

/// The grammar for a page. The verb `help` has none.
fn for_pages() -> Command {
    let mut all = grammar().disable_help_subcommand(true);
    all.build();
    all
}
