// Command wasm is a function as a WebAssembly module (WASI preview 1): the event
// comes by the standard input, the answer goes to the standard output.
//
//	GOOS=wasip1 GOARCH=wasm go build -o main.wasm ./examples/functions/wasm
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var event struct {
		Query map[string]string `json:"queryStringParameters"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&event); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	name := event.Query["name"]
	if name == "" {
		name = "world"
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"hello": name})
}
