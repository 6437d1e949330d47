//! What a handler is for, by its name and by its parameters.

use super::name::Name;
use super::table::listed;

/// What a name says about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// The name or the parameters hint at a signal handler.
    Hint,
    /// The name or the parameters are those of a signal handler.
    Handler,
}

fn one_of(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|other| other == word)
}

/// The words of a name: `SigUsr1Handler` is `sig`, `usr1`, `handler`.
pub fn words(name: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before = ' ';
    let chars: Vec<char> = name.chars().collect();
    for (at, c) in chars.iter().copied().enumerate() {
        let next_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let starts = c.is_uppercase()
            && (before.is_lowercase() || before.is_ascii_digit() || (before.is_uppercase() && next_lower));
        if (!c.is_alphanumeric() || starts) && !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Whether a function looks like a signal handler. `arguments` is what the tool prints between parentheses.
pub fn likeness(name: &Name, arguments: &str) -> Option<Likeness> {
    let words = words(name.last());
    let has = |set: &str| words.iter().any(|word| set.split_whitespace().any(|other| other == word));
    let starts = |start: &str| words.iter().any(|word| word.starts_with(start) && word.len() > start.len());
    let handles = has("\
        handler handle hdl hndl hndlr hand catcher trap catch on action func fn cb callback got do process \
        proc receive received");
    let signal = has("sig signal signals");
    let is_signal_name = super::signals::in_name(name.last()).is_some();
    if signature(name.parameters.as_deref().unwrap_or_default()) || signature(arguments) {
        return Some(Likeness::Handler);
    }
    if has_number(arguments) {
        return Some(Likeness::Handler);
    }
    if (signal
        && has("\
        handler hdl hndl hndlr catcher handle"))
        || (is_signal_name && (handles || words.len() <= 2))
        || has("\
        sighandler signalhandler sighdl deathtrap quickdie waitchld sigcatch sigcatcher")
    {
        return Some(Likeness::Handler);
    }
    if (signal && handles) || is_signal_name || starts("sig") && has("handler") || one_of(CRASH_HANDLERS, name.last()) {
        return Some(Likeness::Hint);
    }
    None
}

/// Crash handlers without the word in their names.
const CRASH_HANDLERS: &str = "\
        crash crash_handler handle_fatal_signal fatal_handler segv_handler catch_segv";

/// The parameters of a handler that is installed with SA_SIGINFO.
fn signature(parameters: &str) -> bool {
    let parameters: String = parameters.chars().filter(|c| !c.is_whitespace()).collect();
    let mut parts = parameters.split(',');
    let (first, second, third) =
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let of_types =
        first == "int" && second.contains("siginfo") && (third.starts_with("void*") || third.contains("ucontext"));
    let named = |part: &str, names: &str| part.split_once('=').is_some_and(|(name, _)| one_of(names, name));
    let of_names = named(first, SIGNAL_NAMES)
        && (named(
            second,
            "\
        info siginfo si sinfo sip siginfo_ptr sig_info",
        ) || named(
            third,
            "\
        context ucontext uc ctx ucp secret ucontext_ptr",
        ));
    of_types || of_names
}

const SIGNAL_NAMES: &str = "\
        sig signo signum sig_num signal sig_no signal_number signal_no snum sig_number postgres_signal_arg \
        i_signal sigNum signalNumber sigNo";

/// Whether the first argument is called as a signal's number is.
fn has_number(arguments: &str) -> bool {
    number(arguments).is_some() && arguments.split(',').count() <= 3
}

/// The number of the signal, if the tool prints it: `sig=7`, `signo=signo@entry=27`.
pub fn number(arguments: &str) -> Option<u64> {
    let first = arguments.split(',').next()?.trim();
    let (name, value) = first.split_once('=')?;
    if !one_of(SIGNAL_NAMES, name.trim()) {
        return None;
    }
    let value = value.rsplit('=').next()?.trim();
    let value = value.split_whitespace().next()?;
    let number = match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => value.parse().ok(),
    }?;
    (1..=64).contains(&number).then_some(number)
}

/// The number of the signal among the arguments of a function that is known to be the handler: its parameter
/// may have no name, which lldb prints as `(null)`.
pub fn number_of_handler(arguments: &str) -> Option<u64> {
    number(arguments).or_else(|| number(&arguments.strip_prefix("(null)").map(|rest| format!("sig{rest}"))?))
}

/// Whether the function only runs in a signal handler: the sampling functions of profilers.
pub fn runs_in_handlers_only(name: &Name) -> bool {
    listed!(
        name.path.as_str(),
        "AsyncGetCallTrace forte_fill_call_trace_given_top Profiler::getJavaTraceAsync Profiler::recordSample \
        PerfEvents::signalHandler Engine::getNativeTrace Profiler::getNativeTrace CpuProfiler::prof_handler \
        ProfileHandler::SignalHandler runtime.sigprof runtime.sigprofNonGo v8::sampler::Sampler::DoSample \
        v8::sampler::SignalHandler::HandleProfilerSignal v8::internal::SignalHandler::HandleProfilerSignal \
        ITimer::signalHandler WallClock::signalHandler CTimer::signalHandler GC_suspend_handler suspend_signal_handler \
        google::FailureSignalHandler hpcrun_sample_callpath vframeStreamForte::forte_next"
    )
}

/// Whether the function exists to report a crash.
pub fn reports(name: &Name) -> bool {
    let lower: String = name.path.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    const PARTS: &str = "\
        criticalsignal crash segv fatalsignal fatalerror sigfatal segfault faulthandler fatalhandler backtrace stacktrace \
        stackdump dumpstack printtrace minidump breakpad sentry coredump bugreport reportanddie reportbug \
        deathtrap sigbus sigill sigfpe sigabrt postmortem drkonqi ossighandler abnormaltermination \
        unhandledsignal dumpcore terminatesignal faultsignal stacktrap handlesegv debuggersignal \
        failuresignal fatalsig handlefault rbbug panichandler catchsegv printstack abortsignal \
        aborthandler exceptionhandler badsignal sigdie gfprinttrace runsignalhandlers vmerror \
        failurewriter monohandlenativecrash handlenativecrash sigillhandler onfatal onerrorsignal \
        deadlysignal deadlyhandler";
    PARTS.split_whitespace().any(|part| lower.contains(part))
        || matches!(
            name.path.as_str(),
            "VMError::report_and_die" | "JVM_handle_linux_signal" | "JVM_handle_bsd_signal" | "gsignal_handler"
        )
}

/// Whether the handler stops its thread on purpose until somebody lets it go on.
pub fn waits_by_design(name: &Name) -> bool {
    let lower: String = name.path.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    const PARTS: &str = "\
        suspendhandler suspendsignalhandler sighandlersetxid setxidhandler suspendresume suspendthread \
        suspendsignal signalhandlersuspend threadsuspend srhandler stopforgc stoptheworld gcsuspend \
        waitsuspend sigsuspendhandler suspendself selfsuspend suspendcurrentthread waitforresume \
        waitfordebugger attachdebugger parkhandler pausehandler stopworld gcstop waitforgc \
        safepointhandler safepointsignal freezehandler usr1wait stophandler suspendmyself sigstopforgc \
        onsuspend waitgdb gdbwait suspendedwait synccallhandler gcsignalhandler";
    PARTS.split_whitespace().any(|part| lower.contains(part))
        || listed!(
            name.path.as_str(),
            "\
        SR_handler GC_suspend_handler GC_suspend_handler_inner suspend_handler do_suspend core_suspend \
        jl_wait_for_gc jl_safepoint_wait_gc jl_set_gc_and_wait sig_stop_for_gc_handler"
        )
}

/// Whether the name is that of a logger.
pub fn logs(name: &Name) -> bool {
    let mut words = words(&name.path).into_iter();
    words.any(|word| {
        listed!(
            word.as_str(),
            "\
        log logger logging logf logv logmsg logmessage vlog glog spdlog log4cxx log4cplus elog ereport \
        errfinish errmsg serverlog slog zlog syslogger logprintf logwrite plog wlog dolog debuglog \
        printlog writelog logevent mlog alog ulog rlog nslog logdebug loginfo logerror"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("icinga::Application::SigUsr1Handler(int)", "", Some(Likeness::Handler))]
    #[case("v8::internal::SignalHandler::HandleProfilerSignal(int, __siginfo*, void*)", "", Some(Likeness::Handler))]
    #[case("crash", "sig=7, siginfo=0x7ffd0f430c30, context=<optimized out>", Some(Likeness::Handler))]
    #[case("sigchld_hdl", "", Some(Likeness::Handler))]
    #[case("on_event", "fd=3", None)]
    #[case("handle_request", "", None)]
    #[case("signal_thread", "arg=0x0", None)]
    #[case("pthread_cond_signal", "", None)]
    fn a_handler_is_known_by_name_and_shape(
        #[case] function: &str,
        #[case] args: &str,
        #[case] seen: Option<Likeness>,
    ) {
        assert_eq!(likeness(&Name::of(function), args), seen);
    }

    #[test]
    fn a_signals_number_is_read_from_an_argument() {
        assert_eq!(number("sig=7, siginfo=0x0"), Some(7));
        assert_eq!(number("signo=signo@entry=27"), Some(27));
        assert_eq!(number("fd=7"), None);
        assert_eq!(number("sig=700"), None);
    }

    #[rstest]
    #[case("icinga::Log::~Log", true)]
    #[case("log_info", true)]
    #[case("catalog", false)]
    #[case("dialog::show", false)]
    fn loggers_are_known_by_a_whole_word(#[case] function: &str, #[case] is: bool) {
        assert_eq!(logs(&Name::of(function)), is);
    }
}
