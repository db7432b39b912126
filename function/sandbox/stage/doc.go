// Package stage is what a function's process does before its program begins:
// the same binary, started once more, that builds the walls around itself from
// within and then becomes the program.
//
// It knows nothing of functions. Its parent sends a list of steps, and it does
// them one after the other; the first that fails is reported, and ends it.
//
// It runs while packages are still initialised, which saves the initialisation
// of all the rest: a third of the time of a cold start. For that it must stand
// on syscall and os alone: a package is initialised once those that it imports
// are, in the order of their paths. docs/decisions/0018-sandbox.md has more.
package stage

// Name is the zeroth argument by which a process of this program knows that it
// is a stage.
const Name = "gatehouse: function starts"

// Nursery is the same for the process that stages are started from.
const Nursery = "gatehouse: functions are started"

// MostFiles is how many descriptors a stage is given at most.
const MostFiles = 16

// Control is the descriptor of the socket to the parent. Those of Join follow.
const Control = 3

// What the stage tells its parent, in one byte, over the control socket.
const (
	Listening byte = 'L' // with the descriptor of a listening socket
	Failed    byte = 'F' // then the step's index and the error's number, 4 bytes each, little endian
	Ready     byte = 'R' // the program begins: after it nothing but the end, or Failed, follows
)

//lint:ignore U1000 a stage becomes another program here, and never returns
var _ = enter()
