// Command functions runs one of the functions on this machine, as its buildpack would:
//
//	FUNCTION_TARGET=soda PORT=8080 go run ./functions
//
// FUNCTION_TARGET is soda, cutout or signer. Where no cloud is configured (package cloud has
// the variables) each is a face of the whole service over the embedded backends.
package main

import (
	"fmt"
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	_ "github.com/seltzer-soda/seltzer/functions/cutout"
	_ "github.com/seltzer-soda/seltzer/functions/signer"
	_ "github.com/seltzer-soda/seltzer/functions/soda"
	"github.com/seltzer-soda/seltzer/pkg/app/cloud"
	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

// faces holds what each function shows of the service on one machine.
var faces = map[string]func(*local.Service) http.Handler{
	cloud.Soda:   func(s *local.Service) http.Handler { return s.Front },
	cloud.Cutout: func(s *local.Service) http.Handler { return s.Cutout },
	cloud.Signer: func(s *local.Service) http.Handler { return s.Signer },
}

func main() {
	target := os.Getenv("FUNCTION_TARGET")
	face, ok := faces[target]
	if !ok {
		fmt.Fprintf(os.Stderr, "functions: FUNCTION_TARGET=%s; want %s, %s or %s\n", target, cloud.Soda, cloud.Cutout, cloud.Signer)
		os.Exit(2)
	}
	if !cloud.Configured() {
		functions.HTTP("local-"+target, local.Function(face))
		_ = os.Setenv("FUNCTION_TARGET", "local-"+target) // a name that holds no NUL
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
