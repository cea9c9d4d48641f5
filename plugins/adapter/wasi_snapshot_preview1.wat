;; WASI preview 1 for modules that know no other, answered out of nothing: what they print goes to the host's log.
;; `hydrant plugin build` wraps it with a module of Go, C, C++ or Rust (wasm32-wasip1) into one component, so that the
;; component imports hydrant:transform/log alone; for a module that declares the capability `environment`, the host exports
;; the functions of that name, which import wasi:cli/environment. Refuses files, sockets and arguments; time and chance
;; are the same in every run. No memory, table or data of its own: wit-component drops what a module does not use.
(module $wasi_snapshot_preview1
  (type $i1 (func (param i32) (result i32)))
  (type $i2 (func (param i32 i32) (result i32)))
  (type $i3 (func (param i32 i32 i32) (result i32)))
  (type $i5 (func (param i32 i32 i32 i32 i32) (result i32)))

  (import "hydrant:transform/log@1.0.0" "write" (func $write (param $err i32) (param $bytes i32) (param $length i32)))
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $get_environment (param $result i32)))
  (import "env" "memory" (memory 0))

  ;; Nanoseconds since the instance began. It goes on by a microsecond whenever it is read, so that waiting for it ends.
  (global $monotonic (mut i64) (i64.const 1000000000))
  ;; Nanoseconds since 1970. Only sleeping moves it, so that a record fares alike wherever in a batch it stands.
  (global $realtime (mut i64) (i64.const 0))
  ;; State of the generator splitmix64.
  (global $random (mut i64) (i64.const 0x2545f4914f6cdd1d))

  ;; Errors: 8 badf, 28 inval, 44 noent, 58 notsup, 70 spipe.

  ;; No preview 1, but ours: an SDK tells what time its batch has (milliseconds since 1970), and what chance begins with.
  (func (export "hydrant_begin") (param $now_ms i64) (param $seed i64)
    (global.set $realtime (i64.mul (local.get $now_ms) (i64.const 1000000)))
    (global.set $random (local.get $seed)))

  ;; Arguments and environment: none.
  (func $no_environ_sizes_get (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (func $no_environ_get (type $i2) (i32.const 0))
  (export "args_sizes_get" (func $no_environ_sizes_get))
  (export "args_get" (func $no_environ_get))
  (export "environ_sizes_get" (func $no_environ_sizes_get))
  (export "environ_get" (func $no_environ_get))

  ;; The environment, if it may be had. The host writes it into pages that are added for it. A module's allocator may take
  ;; these pages for its own later on, and for empty: so they are emptied, and never used again.
  (global $page_start (mut i32) (i32.const 0))
  (global $page_next (mut i32) (i32.const 0))
  (global $page_end (mut i32) (i32.const 0))
  ;; Where list and length of the environment are: pairs of texts, 16 bytes each.
  (func $ask (result i32)
    (local $result i32)
    (global.set $page_start (i32.shl (memory.size) (i32.const 16)))
    (global.set $page_next (global.get $page_start))
    (global.set $page_end (global.get $page_start))
    (local.set $result (call $reserve (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8)))
    (call $get_environment (local.get $result))
    (local.get $result))
  (func $forget
    (memory.fill (global.get $page_start) (i32.const 0) (i32.sub (global.get $page_end) (global.get $page_start))))
  ;; A place of this size; what was at the old one goes along. Memory's limit is the host's: when it denies, it traps.
  (func $reserve (export "cabi_import_realloc")
    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
    (local $place i32) (local $pages i32)
    (local.set $place
      (i32.and
        (i32.add (global.get $page_next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
    (global.set $page_next (i32.add (local.get $place) (local.get $size)))
    (if (i32.gt_u (global.get $page_next) (global.get $page_end))
      (then
        (local.set $pages
          (i32.shr_u
            (i32.add (i32.sub (global.get $page_next) (global.get $page_end)) (i32.const 0xffff))
            (i32.const 16)))
        (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then (unreachable)))
        (global.set $page_end (i32.add (global.get $page_end) (i32.shl (local.get $pages) (i32.const 16))))))
    (if (local.get $old_size)
      (then (memory.copy (local.get $place) (local.get $old) (local.get $old_size))))
    (local.get $place))
  (func $environ_sizes_get (param $count i32) (param $bytes i32) (result i32)
    (local $pair i32) (local $left i32) (local $total i32)
    (local.set $pair (call $ask))
    (local.set $left (i32.load offset=4 (local.get $pair)))
    (local.set $pair (i32.load (local.get $pair)))
    (i32.store (local.get $count) (local.get $left))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $left)))
        ;; "=" between them and 0 behind them.
        (local.set $total
          (i32.add
            (i32.add (local.get $total) (i32.const 2))
            (i32.add (i32.load offset=4 (local.get $pair)) (i32.load offset=12 (local.get $pair)))))
        (local.set $pair (i32.add (local.get $pair) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $bytes) (local.get $total))
    (call $forget)
    (i32.const 0))
  (func $environ_get (param $pointer i32) (param $text i32) (result i32)
    (local $pair i32) (local $left i32)
    (local.set $pair (call $ask))
    (local.set $left (i32.load offset=4 (local.get $pair)))
    (local.set $pair (i32.load (local.get $pair)))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $left)))
        (i32.store (local.get $pointer) (local.get $text))
        (local.set $text (call $write_text (local.get $text) (local.get $pair) (i32.const 61)))
        (local.set $text (call $write_text (local.get $text) (i32.add (local.get $pair) (i32.const 8)) (i32.const 0)))
        (local.set $pointer (i32.add (local.get $pointer) (i32.const 4)))
        (local.set $pair (i32.add (local.get $pair) (i32.const 16)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (call $forget)
    (i32.const 0))
  ;; Copies a text and writes a byte behind it; the place behind that.
  (func $write_text (param $to i32) (param $text i32) (param $byte i32) (result i32)
    (memory.copy (local.get $to) (i32.load (local.get $text)) (i32.load offset=4 (local.get $text)))
    (local.set $to (i32.add (local.get $to) (i32.load offset=4 (local.get $text))))
    (i32.store8 (local.get $to) (local.get $byte))
    (i32.add (local.get $to) (i32.const 1)))

  ;; Clocks: 0 is the time of day, 1 to 3 are the time since the beginning.
  (func (export "clock_res_get") (param $clock i32) (param $result i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 3)) (then (return (i32.const 28))))
    (i64.store (local.get $result) (i64.const 1000))
    (i32.const 0))
  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $result i32) (result i32)
    (if (i32.gt_u (local.get $clock) (i32.const 3)) (then (return (i32.const 28))))
    (if (local.get $clock)
      (then
        (global.set $monotonic (i64.add (global.get $monotonic) (i64.const 1000)))
        (i64.store (local.get $result) (global.get $monotonic)))
      (else (i64.store (local.get $result) (global.get $realtime))))
    (i32.const 0))

  ;; Waiting takes no time: every subscription (48 bytes) is answered by its event (32 bytes) at once, and the clocks go
  ;; on by what a clock's subscription waits for.
  (func (export "poll_oneoff")
    (param $subscription i32) (param $event i32) (param $count i32) (param $result i32) (result i32)
    (local $left i32)
    (i32.store (local.get $result) (local.get $count))
    (local.set $left (local.get $count))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $left)))
        (i64.store (local.get $event) (i64.load (local.get $subscription)))
        (i64.store offset=8 (local.get $event) (i64.const 0))
        (i64.store offset=16 (local.get $event) (i64.const 0))
        (i64.store offset=24 (local.get $event) (i64.const 0))
        (i32.store8 offset=10 (local.get $event) (i32.load8_u offset=8 (local.get $subscription)))
        (if (i32.eqz (i32.load8_u offset=8 (local.get $subscription)))
          (then
            (call $wait
              (i32.load offset=16 (local.get $subscription))
              (i64.load offset=24 (local.get $subscription))
              (i32.load16_u offset=40 (local.get $subscription)))))
        (local.set $subscription (i32.add (local.get $subscription) (i32.const 48)))
        (local.set $event (i32.add (local.get $event) (i32.const 32)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    (i32.const 0))
  (func $wait (param $clock i32) (param $timeout i64) (param $is_absolute i32)
    (local $now i64)
    (local.set $now (select (global.get $monotonic) (global.get $realtime) (local.get $clock)))
    (if (local.get $is_absolute)
      (then
        (if (i64.le_u (local.get $timeout) (local.get $now)) (then (return)))
        (local.set $timeout (i64.sub (local.get $timeout) (local.get $now)))))
    (global.set $monotonic (i64.add (global.get $monotonic) (local.get $timeout)))
    (global.set $realtime (i64.add (global.get $realtime) (local.get $timeout))))
  (func (export "sched_yield") (result i32) (i32.const 0))

  ;; Chance: splitmix64, byte by byte from the lowest.
  (func (export "random_get") (param $bytes i32) (param $length i32) (result i32)
    (local $end i32) (local $value i64) (local $left i32)
    (local.set $end (i32.add (local.get $bytes) (local.get $length)))
    (block $full
      (loop $next
        (br_if $full (i32.eq (local.get $bytes) (local.get $end)))
        (if (i32.eqz (local.get $left))
          (then
            (local.set $value (call $draw))
            (local.set $left (i32.const 8))))
        (i64.store8 (local.get $bytes) (local.get $value))
        (local.set $value (i64.shr_u (local.get $value) (i64.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $bytes (i32.add (local.get $bytes) (i32.const 1)))
        (br $next)))
    (i32.const 0))
  (func $draw (result i64)
    (local $z i64)
    (global.set $random (i64.add (global.get $random) (i64.const 0x9e3779b97f4a7c15)))
    (local.set $z (global.get $random))
    (local.set $z
      (i64.mul (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 30))) (i64.const 0xbf58476d1ce4e5b9)))
    (local.set $z
      (i64.mul (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 27))) (i64.const 0x94d049bb133111eb)))
    (i64.xor (local.get $z) (i64.shr_u (local.get $z) (i64.const 31))))

  ;; Standard input (0) is empty, standard output (1) and error (2) are the host's log; there is no other file.
  (func $is_standard (param $fd i32) (result i32) (i32.lt_u (local.get $fd) (i32.const 3)))
  (func (export "fd_write")
    (param $fd i32) (param $vector i32) (param $count i32) (param $result i32) (result i32)
    (local $total i32) (local $length i32)
    (if (i32.gt_u (i32.sub (local.get $fd) (i32.const 1)) (i32.const 1)) (then (return (i32.const 8))))
    (block $end
      (loop $next
        (br_if $end (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $vector)))
        (if (local.get $length)
          (then
            (call $write
              (i32.eq (local.get $fd) (i32.const 2))
              (i32.load (local.get $vector))
              (local.get $length))
            (local.set $total (i32.add (local.get $total) (local.get $length)))))
        (local.set $vector (i32.add (local.get $vector) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $result) (local.get $total))
    (i32.const 0))
  (func (export "fd_read")
    (param $fd i32) (param $vector i32) (param $count i32) (param $result i32) (result i32)
    (if (local.get $fd) (then (return (i32.const 8))))
    (i32.store (local.get $result) (i32.const 0))
    (i32.const 0))
  ;; A character device without the right to seek is a terminal to the C library, which then writes every line at once.
  (func (export "fd_fdstat_get") (param $fd i32) (param $result i32) (result i32)
    (if (i32.eqz (call $is_standard (local.get $fd))) (then (return (i32.const 8))))
    (i64.store (local.get $result) (i64.const 2))
    (i64.store offset=8 (local.get $result)
      (select (i64.const 0x40) (i64.const 0x2) (local.get $fd)))
    (i64.store offset=16 (local.get $result) (i64.const 0))
    (i32.const 0))
  (func (export "fd_filestat_get") (param $fd i32) (param $result i32) (result i32)
    (local $at i32)
    (if (i32.eqz (call $is_standard (local.get $fd))) (then (return (i32.const 8))))
    (loop $next
      (i64.store (i32.add (local.get $result) (local.get $at)) (i64.const 0))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 64))))
    (i32.store8 offset=16 (local.get $result) (i32.const 2))
    (i32.const 0))
  (func $accepted (param $fd i32) (result i32)
    (select (i32.const 0) (i32.const 8) (call $is_standard (local.get $fd))))
  (export "fd_close" (func $accepted))
  (export "fd_sync" (func $accepted))
  (export "fd_datasync" (func $accepted))
  (func (export "fd_fdstat_set_flags") (param $fd i32) (param $flags i32) (result i32)
    (call $accepted (local.get $fd)))
  (func $not_seekable (param $fd i32) (result i32)
    (select (i32.const 70) (i32.const 8) (call $is_standard (local.get $fd))))
  (func (export "fd_seek") (param $fd i32) (param $offset i64) (param $whence i32) (param $result i32) (result i32)
    (call $not_seekable (local.get $fd)))
  (func (export "fd_tell") (param $fd i32) (param $result i32) (result i32) (call $not_seekable (local.get $fd)))

  ;; Every other descriptor is bad, folders opened beforehand included: so there is no path to begin at.
  (func $bad2 (type $i2) (i32.const 8))
  (func $bad3 (type $i3) (i32.const 8))
  (func $bad_vector (param i32 i32 i32 i64 i32) (result i32) (i32.const 8))
  (func $bad_rights (param i32 i64 i64) (result i32) (i32.const 8))
  (func $bad_size (param i32 i64) (result i32) (i32.const 8))
  (export "fd_prestat_get" (func $bad2))
  (export "fd_prestat_dir_name" (func $bad3))
  (export "fd_renumber" (func $bad2))
  (export "fd_pread" (func $bad_vector))
  (export "fd_pwrite" (func $bad_vector))
  (export "fd_readdir" (func $bad_vector))
  (export "fd_allocate" (func $bad_rights))
  (export "fd_fdstat_set_rights" (func $bad_rights))
  (export "fd_filestat_set_size" (func $bad_size))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (i32.const 8))
  (func (export "sock_accept") (type $i3) (i32.const 8))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "sock_send") (type $i5) (i32.const 8))
  (func (export "sock_shutdown") (type $i2) (i32.const 8))

  ;; No path leads anywhere.
  (func $absent3 (type $i3) (i32.const 44))
  (export "path_create_directory" (func $absent3))
  (export "path_remove_directory" (func $absent3))
  (export "path_unlink_file" (func $absent3))
  (func (export "path_filestat_get") (type $i5) (i32.const 44))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (i32.const 44))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 44))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 44))
  (func (export "path_symlink") (type $i5) (i32.const 44))

  ;; A plugin that ends its process ends its instance: the host sees a trap.
  (func (export "proc_exit") (param $code i32) (unreachable))
  (func (export "proc_raise") (type $i1) (unreachable)))
