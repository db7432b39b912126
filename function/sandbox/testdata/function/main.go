// Command function is what the tests run in a sandbox, and outside of one: each
// of its commands tries one thing, and says in a line what came of it.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Println("failed: no command")
		os.Exit(2)
	}
	command, args := os.Args[1], append(os.Args[2:], "", "")
	do := commands()[command]
	if do == nil {
		fmt.Println("failed: no such command:", command)
		os.Exit(2)
	}
	said, err := do(args)
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	fmt.Println(said)
}

func commands() map[string]func([]string) (string, error) {
	return map[string]func([]string) (string, error){
		"hello":       hello,
		"sleep":       sleep,
		"call":        call,
		"echo":        echo,
		"status":      status,
		"environment": environment,
		"descriptors": descriptors,
		"list":        list,
		"read":        read,
		"write":       write,
		"exec":        execute,
		"whoami":      whoami,
		"bomb":        bomb,
		"hog":         hog,
		"reserve":     reserve,
		"fill":        fill,
		"litter":      litter,
		"burn":        burn,
		"environ":     environ,
		"signal":      signal,
		"dial":        dial,
		"serve":       serve,
		"daemon":      daemon,
		"traceme":     traceme,
		"attach":      attach,
		"mount":       mount,
		"mknod":       mknod,
		"space":       space,
		"socket":      socket,
		"calls":       calls,
		"segment":     segment,
	}
}
