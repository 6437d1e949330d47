// The driver: a program of one of Go's real runtimes, built with the overlay, that does what the parent process asks for.
package main

import (
	"fmt"
	"os"
)

// The verbs, by name. Each is a file.
var verbs = map[string]func(arguments []string) error{
	"bench":    bench,
	"serve":    serve,
	"upstream": upstream,
}

func main() {
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "driver: no such verb")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}
