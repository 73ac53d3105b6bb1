package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// Child is a program that ends when this process ends, however that ends: a shell waits for
// the end of its input, of which this process holds the other end.
type Child struct {
	*exec.Cmd
	input io.Closer
	ended chan struct{}
}

// watched runs a program until it ends or the shell's input does.
const watched = `exec 3<&0
"$@" </dev/null 3<&- & child=$!
{ cat <&3; kill "$child"; } >/dev/null 2>&1 & watch=$!
wait "$child"; status=$?
kill "$watch"
exit $status`

// NewChild returns a child that can be started. It runs in a process group of its own, so an
// interrupt at the terminal goes to this process alone.
func NewChild(name string, args ...string) (*Child, error) {
	cmd := exec.Command("sh", append([]string{"-c", watched, "sh", name}, args...)...) // #nosec G204 -- of tests
	cmd.SysProcAttr = ownGroup()
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	return &Child{Cmd: cmd, input: input, ended: make(chan struct{})}, nil
}

// Start starts the child.
func (c *Child) Start() error {
	if err := c.Cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = c.Wait() // how it ended is asked of its state
		close(c.ended)
	}()
	return nil
}

// Listens waits until a child that was started listens on an address. The error says that it
// ended instead, or does not listen in that time.
func (c *Child) Listens(address string, within time.Duration) error {
	for end := time.Now().Add(within); time.Now().Before(end); {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return connection.Close()
		}
		select {
		case <-c.ended:
			return fmt.Errorf("the program ended (%s) and does not listen on %s", c.ProcessState, address)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("the program does not listen on %s after %v", address, within)
}

// Stop tells the child to end, and waits until it has.
func (c *Child) Stop() {
	_ = c.input.Close()
	<-c.ended
}

// Kill ends the child as kill -9 does.
func (c *Child) Kill() {
	killGroup(c.Process)
	<-c.ended
}

// Ports that systems do not give to connections that go out: Linux begins with 32768, others
// with 49152. On a port of those, a program that is started again finds a connection that was
// given it meanwhile; and who asks again and again for a server there that does not listen yet
// may be connected to himself.
const firstPort, lastPort = 10_000, 32_700

// claims holds the ports that this process has claimed.
var claims struct {
	sync.Mutex
	held []net.Listener
}

// FreeAddress returns an address of this machine that nobody listens on, and that no other
// process which asks this function is given before this one ends: who listens on the port
// behind it has claimed it.
func FreeAddress() (string, error) {
	claims.Lock()
	defer claims.Unlock()
	for range 1000 {
		port := firstPort + 2*rand.IntN((lastPort-firstPort)/2) // #nosec G404 -- any will do
		claim, err := listen(port + 1)
		if err != nil {
			continue
		}
		l, err := listen(port)
		if err != nil {
			_ = claim.Close()
			continue
		}
		claims.held = append(claims.held, claim)
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("no port of this machine is free")
}

func listen(port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
