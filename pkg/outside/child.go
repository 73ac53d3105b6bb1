package outside

import (
	"context"
	"io"
	"net"
	"os/exec"
)

// Child is a program that ends when this process ends, however that ends: a shell waits for
// the end of its input, of which this process holds the other end.
type Child struct {
	*exec.Cmd
	input io.Closer
}

// NewChild returns a child that can be started. It runs in a process group of its own, so an
// interrupt at the terminal goes to this process alone.
func NewChild(name string, args ...string) (*Child, error) {
	cmd := exec.Command("sh", append([]string{"-c", `"$@" </dev/null & child=$!; cat >/dev/null; kill "$child"; wait "$child"`, "sh", name}, args...)...) // #nosec G204 -- of tests
	cmd.SysProcAttr = ownGroup()
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &Child{Cmd: cmd, input: input}, nil
}

// Stop tells the child to end, and waits until it has.
func (c *Child) Stop() {
	_ = c.input.Close()
	_ = c.Wait() // how it ended was our doing
}

// Kill ends the child as kill -9 does.
func (c *Child) Kill() {
	killGroup(c.Process)
	_ = c.Wait()
}

// FreeAddress returns an address of this machine that nobody listens on.
func FreeAddress() (string, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
