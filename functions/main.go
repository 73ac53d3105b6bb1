// Command functions runs one of the functions on this machine, as its buildpack would:
//
//	FUNCTION_TARGET=soda PORT=8080 go run ./functions
//
// FUNCTION_TARGET is soda, cutout or signer.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "github.com/seltzer-soda/seltzer/functions/cutout"
	_ "github.com/seltzer-soda/seltzer/functions/signer"
	_ "github.com/seltzer-soda/seltzer/functions/soda"
)

var targets = []string{"soda", "cutout", "signer"}

func main() {
	if target := os.Getenv("FUNCTION_TARGET"); !slices.Contains(targets, target) {
		fmt.Fprintf(os.Stderr, "functions: FUNCTION_TARGET=%s; want one of %v\n", target, targets)
		os.Exit(2)
	}
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if err := funcframework.StartHostPort("127.0.0.1", port); err != nil {
		fmt.Fprintln(os.Stderr, "functions:", err)
		os.Exit(1)
	}
}
