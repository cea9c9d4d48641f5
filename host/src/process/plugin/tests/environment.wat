;; A guest of WASI preview 1 that reads its environment when it starts, as the runtimes of Go and C do, and replaces the
;; first record of a batch by it. It traps when it finds memory that was added meanwhile and is not empty, which its
;; allocator would take for its own.
(module
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (memory (export "memory") 8)
  ;; 0: count, 4: bytes; 8: ends of the output; 16: its inputs (0); 64: the answer; 1024: pointers; 8192: the environment.
  (global $next (mut i32) (i32.const 0x60000))

  (func (export "_initialize")
    (local $at i32)
    (if (call $environ_sizes_get (i32.const 0) (i32.const 4)) (then (unreachable)))
    (if (call $environ_get (i32.const 1024) (i32.const 8192)) (then (unreachable)))
    (i32.store (i32.const 8) (i32.load (i32.const 4)))
    (local.set $at (i32.const 0x80000))
    (block $end
      (loop $more
        (br_if $end (i32.ge_u (local.get $at) (i32.shl (memory.size) (i32.const 16))))
        (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (unreachable)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $more))))

  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
    (local $place i32)
    (local.set $place (global.get $next))
    (global.set $next
      (i32.and (i32.add (i32.add (local.get $place) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (block $fits
      (loop $grow
        (br_if $fits (i32.le_u (global.get $next) (i32.shl (memory.size) (i32.const 16))))
        (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
        (br $grow)))
    (local.get $place))

  ;; Every pointer into the environment is one into it, and the text it begins has a "=".
  (func $check
    (local $at i32) (local $text i32)
    (block $end
      (loop $more
        (br_if $end (i32.eq (local.get $at) (i32.load (i32.const 0))))
        (local.set $text (i32.load offset=1024 (i32.shl (local.get $at) (i32.const 2))))
        (if (i32.lt_u (local.get $text) (i32.const 8192)) (then (unreachable)))
        (if (local.get $at)
          (then
            (if (i32.load8_u (i32.sub (local.get $text) (i32.const 1))) (then (unreachable)))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $more))))

  ;; It is configured with anything.
  (func (export "hydrant:transform/transform@1.0.0#configure") (param i32 i32 i32 i32) (result i32)
    (call $check)
    (i32.const 128))

  (func (export "hydrant:transform/transform@1.0.0#apply")
    (param i32 i32 i32) (param $records i32) (param i32 i32 i32 i32) (result i32)
    (if (i32.eqz (local.get $records)) (then (return (i32.const 128))))
    ;; One output, the environment, for the first input.
    (i32.store (i32.const 64) (i32.const 8192))
    (i32.store (i32.const 68) (i32.load (i32.const 4)))
    (i32.store (i32.const 72) (i32.const 8))
    (i32.store (i32.const 76) (i32.const 1))
    (i32.store (i32.const 88) (i32.const 16))
    (i32.store (i32.const 92) (i32.const 1))
    (i32.store (i32.const 96) (i32.const 256))
    (i32.store (i32.const 100) (local.get $records))
    (i32.store8 (i32.const 256) (i32.const 1))
    (i32.const 64)))
