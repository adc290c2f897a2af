package demoweb

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
)

// paper draws the background: 64 x 64 pixels of faint grain that tile.
func paper() []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	state := uint32(20240221) // of a linear congruential generator: the same grain each time
	for y := range 64 {
		for x := range 64 {
			state = state*1664525 + 1013904223
			shade := uint8(state >> 29)
			img.SetNRGBA(x, y, color.NRGBA{251 - shade, 248 - shade, 244 - shade, 255})
		}
	}
	return encode(img)
}

// mark draws the sign of the service: an arrow that shows the wind, 64 x 64
// pixels on a transparent ground.
func mark() []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	plum := color.NRGBA{109, 59, 115, 255}
	for y := range 64 {
		for x := range 64 {
			post := x >= 30 && x < 34 && y >= 20
			shaft := y >= 18 && y < 24 && x >= 8 && x < 48
			head := x >= 44 && x < 60 && abs(y-21) <= 60-x
			if post || shaft || head {
				img.SetNRGBA(x, y, plum)
			}
		}
	}
	return encode(img)
}

func abs(n int) int { return max(n, -n) }

func encode(img image.Image) []byte {
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		panic(fmt.Sprintf("demoweb: PNG into memory: %v", err))
	}
	return buf.Bytes()
}
