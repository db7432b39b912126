// Command function is what the tests run in a sandbox: each of its commands
// tries one thing, and says in a line what came of it.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func run(command string, args []string) error {
	switch command {
	case "hello":
		fmt.Println("hello")
		return nil
	case "sleep":
		time.Sleep(time.Hour)
		return nil
	case "call": // says what its parent's listener answers
		conn, err := net.Dial("tcp", "127.0.0.1:9001")
		if err != nil {
			return err
		}
		b := make([]byte, 64)
		n, err := conn.Read(b)
		fmt.Printf("%s\n", b[:n])
		return err
	}
	return fmt.Errorf("no such command: %s", command)
}
