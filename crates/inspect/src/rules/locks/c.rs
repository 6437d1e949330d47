//! The functions of C that take a lock of a library.

use super::Lock;
use crate::rules::table::Table;

/// Functions of C, without leading underscores.
pub(super) const C: Table<Lock> = &[
    (
        Lock::Heap,
        "\
        malloc_impl malloc calloc realloc free cfree memalign posix_memalign aligned_alloc valloc pvalloc mid_memalign \
        memalign_hook_ini reallocarray strdup strndup asprintf vasprintf vasprintf_internal malloc_trim \
        malloc_usable_size mallinfo mallinfo2 malloc_info malloc_stats mallopt arena_get arena_get2 \
        arena_get_retry tcache_init tcache_malloc_init ptmalloc_init malloc_hook_ini realloc_hook_ini \
        tcache_thread_shutdown arena_thread_freeres malloc_arena_thread_freeres malloc_thread_freeres \
        malloc_check free_check malloc_fork_lock_parent malloc_fork_unlock_parent malloc_fork_unlock_child \
        ptmalloc_lock_all ptmalloc_unlock_all ptmalloc_unlock_all2 malloc_atfork free_atfork open_memstream \
        getdelim getline realpath getcwd_malloc scandir opendir alloc_dir backtrace_symbols \
        malloc_zone_malloc malloc_zone_calloc malloc_zone_realloc malloc_zone_free malloc_zone_memalign \
        malloc_type_malloc malloc_type_calloc malloc_type_zone_malloc malloc_type_malloc_outlined \
        malloc_zone_malloc_instrumented_or_legacy malloc_default_zone find_zone_and_free szone_malloc \
        szone_calloc szone_realloc szone_free szone_size szone_free_definite_size szone_malloc_should_clear \
        szone_memalign default_zone_malloc default_zone_free default_zone_free_definite_size \
        default_zone_calloc default_zone_realloc scalable_zone_malloc nanov2_malloc nanov2_free nano_malloc \
        nano_free nanov2_allocate nanov2_allocate_from_block nanov2_find_block_and_allocate nano_zone_malloc \
        xzm_malloc xzm_free xzm_segment_group_alloc_chunk mfm_alloc mvm_allocate_pages rack_get_thread_index \
        malloc_vprintf mi_malloc mi_free mi_calloc mi_realloc mi_heap_malloc mi_malloc_generic \
        mi_heap_malloc_aligned mi_free_block_mt mi_free_generic tc_malloc tc_free tc_new tc_delete tc_calloc \
        tc_realloc tc_memalign tc_newarray tc_deletearray tc_malloc_skip_new_handler pas_try_allocate \
        bmalloc_allocate PyMem_Malloc PyMem_RawMalloc PyMem_RawFree PyObject_Malloc PyObject_Free mmap_chunk \
        munmap_chunk g_malloc g_malloc0 g_free g_realloc g_slice_alloc g_slice_free1 sh_xmalloc sh_xfree \
        sh_xrealloc internal_malloc internal_free internal_realloc sh_malloc sh_free morecore zend_mm_alloc \
        emalloc efree _emalloc _efree AllocSetAlloc palloc ruby_xmalloc objspace_xmalloc0 objspace_xfree \
        lmalloc lfree aligned_free malloc_unlocked malloc_internal free_unlocked free_internal \
        realloc_unlocked oldmalloc alloc_slot alloc_group enframe nontrivial_free alloc_meta bin_chunk unbin \
        expand_heap alloc_fwd alloc_rev malloc_beforefork oballoc omalloc ofree orealloc malloc_lock",
    ),
    (
        Lock::Stdio,
        "\
        printf fprintf vprintf vfprintf vfprintf_internal printf_buffer vfprintf_process_arg vfwprintf \
        vfwprintf_internal wprintf dprintf vdprintf fputs puts putc fputc putchar fwrite fread fgets fgetc \
        getc getchar fflush fflush_unlocked fclose fopen fopen64 fopen_internal fdopen freopen perror fseek \
        ftell rewind setvbuf setbuf ungetc scanf fscanf vfscanf vfscanf_internal popen pclose psignal \
        psiginfo fprintf_chk printf_chk vfprintf_chk vprintf_chk fwrite_unlocked fputs_unlocked flockfile \
        sfvwrite sflush swrite sflush_locked sfp swbuf srefill vfprintf_l fputs_l sfwrite overflow uflow \
        toread towrite stdio_exit lockfile ofl_lock ofl_add stdio_seek cleanup_stdio sread error verror err \
        errx verr verrx warn warnx vwarn vwarnx Sffflush asprintf_stdio tmpfile",
    ),
    (
        Lock::Loader,
        "\
        dlopen dlopen_new dlsym dlsym_implementation dlvsym dladdr dladdr1 dlclose dlerror dlerror_run \
        dlinfo dlmopen dlopen_mode dlsym_local dlopen_doit dlsym_doit dl_iterate_phdr dl_open dl_open_worker \
        dl_open_worker_begin dl_close dl_close_worker dl_close_worker.part dl_catch_exception dl_catch_error \
        dl_addr dl_addr_inside_object dl_sym do_sym dl_fixup dl_runtime_resolve dl_runtime_resolve_xsave \
        dl_runtime_resolve_xsavec dl_runtime_resolve_fxsave dl_lookup_symbol_x do_lookup_x check_match \
        dl_profile_fixup dl_find_object dl_map_object dl_map_object_from_fd dl_map_object_deps \
        dl_relocate_object dl_init call_init dl_fini call_fini dl_check_map_versions dl_name_match_p \
        dl_load_cache_lookup dl_new_object dl_update_slotinfo dl_add_to_slotinfo dl_allocate_tls \
        dl_allocate_tls_init tls_get_addr tls_get_addr_slow tls_get_addr_tail tls_get_addr_internal \
        update_get_addr tls_init_tp allocate_dtv_entry allocate_and_init tls_get_new dyld_stub_binder \
        dyld_dlopen dyld_image_count dyld_get_image_header dyld_get_image_name dyld_find_unwind_sections \
        dyld_get_image_vmaddr_slide dyld_register_func_for_add_image getsectdata loader_lock LdrLoadDll \
        LdrLockLoaderLock rtld_bind rtld_bind_start rlock_acquire wlock_acquire def_rlock_acquire \
        def_wlock_acquire elf_rtbndr elf_bndr rt_bind_guard rt_mutex_lock rt_bind_clear dl_unwind_find_exidx \
        dladdr_internal dl_find_dso_for_object find_symbol do_dlsym",
    ),
    (
        Lock::TimeZone,
        "\
        localtime localtime_r localtime64_r localtime_rz gmtime gmtime_r gmtime64_r mktime mktime64 \
        mktime_internal timelocal timegm tzset tzset_internal tzset_parse_tz tz_convert tzfile_read \
        tzfile_compute strftime strftime_l strftime_internal ctime ctime_r asctime do_tzset secs_to_zone \
        secs_to_tm tzsetwall_basic tzset_basic notify_check_tz localsub wcsftime getdate ranged_convert \
        load_zone tzset_unlocked tzset_unlocked_basic",
    ),
    (
        Lock::Syslog,
        "\
        syslog vsyslog openlog closelog vsyslog_internal vsyslog_chk syslog_chk openlog_internal vsyslog_l \
        closelog_internal vxsyslog os_log_impl asl_log asl_vlog setlogmask android_log_write \
        sd_journal_print",
    ),
    (
        Lock::Exit,
        "\
        exit run_exit_handlers cxa_finalize cxa_atexit atexit new_exitfn on_exit quick_exit at_quick_exit \
        funcs_on_exit call_exitprocs cxa_thread_atexit cxa_thread_atexit_impl exithandle cxa_finalize_ranges \
        internal_atexit exit_handlers",
    ),
    (
        Lock::Environment,
        "\
        getenv secure_getenv setenv unsetenv putenv add_to_environ clearenv findenv findenv_locked",
    ),
    (
        Lock::Random,
        "\
        random srandom rand srand initstate setstate random_r arc4random arc4random_buf arc4random_uniform \
        rand_r drand48 lrand48",
    ),
    (
        Lock::Resolver,
        "\
        getaddrinfo gethostbyname gethostbyname_r gethostbyname2_r gethostbyaddr_r getpwnam getpwnam_r \
        getpwuid getpwuid_r getgrnam getgrgid getgrouplist initgroups nss_lookup_function \
        nss_database_lookup nss_next2 nss_passwd_lookup2 res_search res_query res_nquery res_nsend res_init \
        res_vinit gaih_inet getservbyname getnameinfo",
    ),
    (
        Lock::Unwinder,
        "\
        Unwind_Find_FDE Unwind_Find_registered_FDE dwarf_step ULx86_64_tdep_trace fetch_proc_info find_reg_state Unwind_Backtrace Unwind_RaiseException Unwind_Resume Unwind_ForcedUnwind \
        uw_frame_state_for uw_init_context_1 uw_update_context unw_step unw_init_local ULx86_64_step \
        ULx86_64_dwarf_find_proc_info ULx86_64_init_local ULx86_64_dwarf_step UL_dwarf_find_proc_info \
        unw_get_proc_info unw_get_proc_name dwarf_find_proc_info backtrace backtrace_symbols_fd \
        backtrace_full backtrace_simple register_frame deregister_frame register_frame_info \
        deregister_frame_info cxa_throw cxa_rethrow gxx_personality_v0 ULaarch64_step unw_backtrace \
        put_rs_cache get_rs_cache frame_dummy_unwind search_object init_object",
    ),
    (
        Lock::Interpreter,
        "\
        take_gil PyEval_RestoreThread PyEval_AcquireThread PyEval_AcquireLock PyGILState_Ensure drop_gil \
        gvl_acquire rb_thread_call_with_gvl caml_leave_blocking_section caml_acquire_runtime_system \
        gvl_acquire_add",
    ),
    (
        Lock::Apple,
        "\
        objc_msgSend objc_msgSend_uncached lookUpImpOrForward objc_getClass objc_initializeClassPair \
        objc_alloc dispatch_once dispatch_sync dispatch_async dispatch_group_async objc_lookUpClass \
        look_up_class class_initialize initializeNonMetaClass objc_retain objc_release \
        objc_autoreleasePoolPush",
    ),
    (
        Lock::Threads,
        "\
        fork libc_fork run_fork_handlers run_prefork_handlers run_postfork_handlers vfork_with_handlers \
        pthread_atfork register_atfork forkx pthread_create pthread_create_2_1 allocate_stack \
        deallocate_stack free_stacks nptl_deallocate_stack free_tcb nptl_free_tcb queue_stack \
        get_cached_stack pthread_exit nptl_setxid setxid setuid setgid seteuid setegid setresuid setresgid \
        make_stacks_executable pthread_detach pthread_getattr_np tl_lock synccall",
    ),
    (
        Lock::Libc,
        "\
        setlocale newlocale freelocale gettext dcigettext dcgettext dgettext libintl_dcigettext \
        nl_find_domain nl_load_domain bindtextdomain textdomain strerror strerror_l strsignal abort \
        gconv_find_transform gconv_open iconv_open sigaction_locked getutxent ttyname system do_system \
        posix_spawn spawni wordexp glob regcomp getmntent aio_read aio_write aio_enqueue_request sem_open \
        sem_close lio_listio timer_create mq_notify",
    ),
];
