package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// openWeb returns a root over a handler on this machine.
func openWeb(t *testing.T, h http.HandlerFunc) *web {
	t.Helper()
	listen := httptest.NewServer(h)
	t.Cleanup(listen.Close)
	base, err := url.Parse(listen.URL)
	if err != nil {
		t.Fatal(err)
	}
	root, err := OpenWeb(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.(*web)
}

// ranged answers as a good archive does.
func ranged(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"1"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
}

func TestWebAnswersThatAreNotRead(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(ranged))
	defer elsewhere.Close()
	part := func(w http.ResponseWriter, contentRange string) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		w.Write([]byte("0"))
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   fault.Code
		says   string
	}{
		{"no ranges", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("0123456789")) }, fault.Unsupported, "ranges"},
		{"no ranges, chunked", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte("01234"))
			w.(http.Flusher).Flush()
		}, fault.Unsupported, "ranges"},
		{"no version", func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
		}, fault.Unsupported, "ETag"},
		{"no size", func(w http.ResponseWriter, _ *http.Request) { part(w, "bytes 0-0/*") }, fault.Unsupported, "how large"},
		{"negative size", func(w http.ResponseWriter, _ *http.Request) { part(w, "bytes 0-0/-5") }, fault.Unsupported, "how large"},
		{"size over int64", func(w http.ResponseWriter, _ *http.Request) { part(w, "bytes 0-0/9223372036854775808") }, fault.Unsupported, "how large"},
		{"compressed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			part(w, "bytes 0-0/10")
		}, fault.Unsupported, "gzip"},
		{"another host", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/a.fits", http.StatusFound)
		}, fault.Unsupported, "redirects"},
		{"metadata server", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/computeMetadata/v1/", http.StatusMovedPermanently)
		}, fault.Unsupported, "redirects"},
		{"another scheme", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+r.Host+"/a.fits", http.StatusFound)
		}, fault.Unsupported, "redirects"},
		{"redirects without end", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, fault.Unsupported, "redirects"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, fault.NotFound, "a.fits"},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, fault.Forbidden, "403"},
		{"login", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, fault.Forbidden, "401"},
		{"busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, fault.Unavailable, "again later"},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, fault.Unavailable, "again later"},
		{"teapot", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418) }, fault.Unsupported, "418"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.Unavailable, "again later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src, err := openWeb(t, tt.answer).Open(t.Context(), "a.fits")
			if err == nil {
				src.Close()
			}
			if fault.CodeOf(err) != tt.want || !strings.Contains(fault.Sentence(err), tt.says) {
				t.Errorf("%v; want %s saying %q", err, tt.want, tt.says)
			}
			if strings.Contains(fault.Sentence(err), "127.0.0.1") {
				t.Errorf("the sentence tells the address: %q", fault.Sentence(err))
			}
		})
	}
}

func TestWebReadsThatFail(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc // after Open
		says   string
	}{
		{"whole object", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"2"`)
			w.Write([]byte("abcdefghij"))
		}, "changed"},
		{"another version under If-Match", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"2"`)
			w.Header().Set("Content-Range", "bytes 2-5/10")
			w.WriteHeader(206)
			w.Write([]byte("cdef"))
		}, "changed"},
		{"another size", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", "bytes 2-5/11")
			w.WriteHeader(206)
			w.Write([]byte("2345"))
		}, "changed"},
		{"another range", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", "bytes 0-3/10")
			w.WriteHeader(206)
			w.Write([]byte("0123"))
		}, "another range"},
		{"fewer bytes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", "bytes 2-5/10")
			w.Header().Set("Content-Length", "4")
			w.WriteHeader(206)
			w.Write([]byte("23"))
		}, "broke off"},
		{"gone", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(404) }, "changed"},
		{"broken", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(502) }, "again later"},
		{"stalls", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Range", "bytes 2-5/10")
			w.WriteHeader(206)
			w.Write([]byte("23"))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "sent nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opened := false
			root := openWeb(t, func(w http.ResponseWriter, r *http.Request) {
				if !opened {
					opened = true
					ranged(w, r)
					return
				}
				tt.answer(w, r)
			})
			root.stall = 100 * time.Millisecond
			src, err := root.Open(t.Context(), "a.fits")
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 4)
			n, err := src.ReadAt(t.Context(), p, 2)
			if n != 0 || fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.Sentence(err), tt.says) {
				t.Errorf("%d, %v; want 0 and Unavailable saying %q", n, err, tt.says)
			}
		})
	}
}

func TestWebCancelledWhileReading(t *testing.T) {
	opened := false
	root := openWeb(t, func(w http.ResponseWriter, r *http.Request) {
		if !opened {
			opened = true
			ranged(w, r)
			return
		}
		<-r.Context().Done()
	})
	src, err := root.Open(t.Context(), "a.fits")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := src.ReadAt(ctx, make([]byte, 4), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want deadline exceeded", err)
	}
}

// TestWebAsks says what an archive sees of us.
func TestWebAsks(t *testing.T) {
	var seen []string
	root := openWeb(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprintf("%s %s %s %s%s", r.Method, r.RequestURI, r.Header.Get("Range"), r.Header.Get("If-Match"), r.Header.Get("Authorization")))
		if name, old := strings.CutPrefix(r.URL.EscapedPath(), "/old/"); old {
			http.Redirect(w, r, "/new/"+name, http.StatusMovedPermanently)
			return
		}
		ranged(w, r)
	})
	src, err := root.Open(t.Context(), "old/50% a+b?.fits") // redirects within the host are followed
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4)
	if _, err := src.ReadAt(t.Context(), p, 3); err != nil || !bytes.Equal(p, []byte("3456")) {
		t.Errorf("read %q, %v; want 3456", p, err)
	}
	want := []string{
		"GET /old/50%25%20a+b%3F.fits bytes=0-0 ",
		"GET /new/50%25%20a+b%3F.fits bytes=0-0 ",
		`GET /old/50%25%20a+b%3F.fits bytes=3-6 "1"`,
		`GET /new/50%25%20a+b%3F.fits bytes=3-6 "1"`,
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("the archive saw\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

// TestWebConnects holds the guard against addresses in each network that leads inside.
func TestWebConnects(t *testing.T) {
	for _, tt := range []struct {
		ip           string
		public, here bool
	}{
		{"129.164.179.22", true, false}, // an archive
		{"2a00:1450:4001:81b::200e", true, false},
		{"127.0.0.1", false, true},
		{"127.9.9.9", false, true},
		{"::1", false, true},
		{"::ffff:127.0.0.1", false, true},
		{"169.254.169.254", false, false}, // metadata of Google Cloud and others
		{"::ffff:169.254.169.254", false, false},
		{"fd20:ce::254", false, false}, // metadata of Google Cloud, IPv6
		{"fe80::1%eth0", false, false},
		{"10.0.0.1", false, false},
		{"172.16.0.1", false, false},
		{"192.168.1.1", false, false},
		{"100.100.100.200", false, false}, // metadata of Alibaba Cloud
		{"192.0.0.192", false, false},     // metadata of Oracle Cloud, once
		{"198.18.0.1", false, false},
		{"0.0.0.0", false, false},
		{"0.0.0.1", false, false},
		{"::", false, false},
		{"::7f00:1", false, false},
		{"64:ff9b::a9fe:a9fe", false, false}, // 169.254.169.254 through NAT64
		{"2002:a9fe:a9fe::1", false, false},  // and through 6to4
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"240.0.0.1", false, false},
		{"ff02::1", false, false},
	} {
		ip := netip.MustParseAddr(tt.ip)
		if got := allowed(ip, false); got != tt.public {
			t.Errorf("a public archive at %s: allowed %t, want %t", ip, got, tt.public)
		}
		if got := allowed(ip, true); got != tt.here {
			t.Errorf("an archive on this machine at %s: allowed %t, want %t", ip, got, tt.here)
		}
	}
}

// TestWebConnectsByAddressNotName: a public name whose address is private is refused when
// the connection is made, whatever the name service said before.
func TestWebConnectsByAddressNotName(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listen.Close()
	root, err := OpenWeb(&url.URL{Scheme: "https", Host: "archive.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	transport := root.(*web).client.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, listen.Addr().String()) // as if the name meant this
	}
	if _, err := root.Open(t.Context(), "a.fits"); !errors.Is(err, fault.Forbidden) {
		t.Errorf("Open: %v; want Forbidden", err)
	}
}
