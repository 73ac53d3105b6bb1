// Command cloud runs the cloud in small, package emulated, until it is told to stop. It is
// what scripts/emulators runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seltzer-soda/seltzer/functions/emulated"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address of the function soda")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := emulated.Start(ctx, emulated.Options{Listen: *listen, Log: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cloud:", err)
		os.Exit(1)
	}
	defer c.Close()
	fmt.Printf("listening on %s\n", c.URL)
	fmt.Printf("try: %s\n", c.Curl())
	fmt.Printf("\na batch by its topic, from another shell at the root of the repository:\n\n%s\n%s\n", c.Exports(), c.Submit())
	<-ctx.Done()
}
