(* SPDX-License-Identifier: GPL-2.0-or-later *)
(* The log: a sequence of (time point, class, payload).

   Every later file is about an arbitrary [world]: nothing is known of its types, except that two time points can be
   compared. *)
From Coq Require Import List.
Import ListNotations.

Record world := World {
  state : Type;    (* what the guest can see: registers, memory, pending event bits *)
  hidden : Type;   (* what it cannot see and must not depend on: caches, TLB, host time, Xen's own memory, other domains *)
  value : Type;    (* what the environment gives to a synchronous step: a TSC reading, a hypercall's answer *)
  effect : Type;   (* what the environment does to the guest asynchronously: an event, bytes in a shared ring *)
  payload : Type;  (* what a record of the log carries *)
  point : Type;    (* name of a place in the execution *)
  point_dec : forall a b : point, {a = b} + {a <> b}
}.

(* The class of a record, with its payload. *)
Inductive content (w : world) :=
  | Sync (p : payload w)   (* value of a synchronous step *)
  | Async (p : payload w)  (* effect applied at an injection point *)
  | End.                   (* the recording ends here *)
Arguments Sync {w}.
Arguments Async {w}.
Arguments End {w}.

Record entry (w : world) := Entry { at_point : point w; what : content w }.
Arguments Entry {w}.
Arguments at_point {w}.
Arguments what {w}.

Definition log (w : world) := list (entry w).

(* What an observer of the guest sees of one step. *)
Inductive label := Ran | Entered | Injected | Ended.
Definition trace (w : world) := list (label * state w).
