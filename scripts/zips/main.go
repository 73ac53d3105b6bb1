// Command zips writes the zips of the functions. It is what scripts/package runs.
//
//	zips DIR [FUNCTION…]
//
// The Go buildpack of Cloud Run functions takes the one package at the root of a source,
// which must itself import the functions framework, and builds it without the network where
// there is a vendor folder that holds the framework. Source: GoogleCloudPlatform/buildpacks,
// cmd/go/functions_framework.
package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const module = "github.com/seltzer-soda/seltzer"

var functions = []string{"soda", "cutout", "signer"}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: zips DIR [FUNCTION…]")
		os.Exit(2)
	}
	chosen := os.Args[2:]
	if len(chosen) == 0 {
		chosen = functions
	}
	for _, function := range chosen {
		file := filepath.Join(os.Args[1], function+".zip")
		sum, err := write(file, function)
		if err != nil {
			fmt.Fprintf(os.Stderr, "zips: %s: %v\n", function, err)
			os.Exit(1)
		}
		fmt.Printf("%s  %s\n", sum, file)
	}
}

// write writes the zip of a function and returns its SHA-256.
func write(file, function string) (sum string, err error) {
	dir, err := os.MkdirTemp("", "seltzer-zip-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := assemble(dir, function); err != nil {
		return "", err
	}
	// #nosec G301 -- source that all may read
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return "", err
	}
	out, err := os.Create(file) // #nosec G304 -- the operator's file
	if err != nil {
		return "", err
	}
	h := sha256.New()
	err = cmp.Or(pack(io.MultiWriter(out, h), dir), out.Close())
	return hex.EncodeToString(h.Sum(nil)), err
}

// root is the file at the root of the zip.
const root = `// Package function is function %[2]s as its buildpack takes it.
package function

import (
	_ "github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	_ "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	_ "%[1]s/functions/%[2]s"
)
`

// assemble makes the source of a function: the files of the packages that it links on
// Google's machines, and of the modules that these need.
func assemble(dir, function string) error {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,GoFiles,SFiles,EmbedFiles,Module", module+"/functions/"+function) // #nosec G204 -- the name of a function
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return failed("go list", err)
	}
	var top string
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Dir             string
			GoFiles, SFiles, EmbedFiles []string
			Module                      *struct {
				Main bool
				Dir  string
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		top = p.Module.Dir
		for _, file := range append(append(p.GoFiles, p.SFiles...), p.EmbedFiles...) {
			if err := copyFile(filepath.Join(dir, strings.TrimPrefix(p.ImportPath, module), file), filepath.Join(p.Dir, file)); err != nil {
				return err
			}
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "LICENSE"} {
		if err := copyFile(filepath.Join(dir, file), filepath.Join(top, file)); err != nil {
			return err
		}
	}
	// #nosec G306 -- source that all may read
	if err := os.WriteFile(filepath.Join(dir, "function.go"), fmt.Appendf(nil, root, module, function), 0o666); err != nil {
		return err
	}
	vendor := exec.Command("go", "mod", "vendor")
	vendor.Dir = dir
	vendor.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if _, err := vendor.Output(); err != nil {
		return failed("go mod vendor", err)
	}
	return nil
}

// failed says what a command said.
func failed(command string, err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("%s: %w\n%s", command, err, exit.Stderr)
	}
	return fmt.Errorf("%s: %w", command, err)
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from) // #nosec G304 -- the source
	if err != nil {
		return err
	}
	// #nosec G301 -- source that all may read
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o666) // #nosec G306 -- source that all may read
}

// packed is the time of every file in a zip.
var packed = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// pack writes the files below dir, in the order of their names.
func pack(w io.Writer, dir string) error {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate, Modified: packed}
		header.SetMode(0o644)
		file, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path) // #nosec G304 -- the source
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		return err
	})
	return cmp.Or(err, z.Close())
}
