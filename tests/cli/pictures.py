# python3 pictures.py digits FOLDER: ten digits of a font, shaken and noisy, as FOLDER/train/0/00.png and so on.
# python3 pictures.py kinds PICTURE FOLDER: a grey picture as PNGs of all sorts; plain*.png are their 8-bit twins.
# Needs NumPy and Pillow, which cannot write interlaced PNGs: those are written here.
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 28


def glyph(digit):
    image = Image.new('L', (12, 12))
    ImageDraw.Draw(image).text((3, 0), str(digit), fill=255, font=ImageFont.load_default())
    return np.asarray(image.crop(image.getbbox()).resize((12, 18), Image.BILINEAR))


def digits(folder):
    random = np.random.RandomState(1)
    for digit in range(10):
        shape = glyph(digit)
        for part, n in ('train', 40), ('test', 10):
            os.makedirs(f'{folder}/{part}/{digit}')
            for i in range(n):
                pixels = random.randint(0, 60, (SIDE, SIDE))
                y, x = random.randint(3, 8), random.randint(6, 11)
                pixels[y:y + 18, x:x + 12] += (shape * random.uniform(.6, 1)).astype(int)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(f'{folder}/{part}/{digit}/{i:02}.png')


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def interlaced(pixels, file):
    h, w = pixels.shape
    rows = b''
    adam7 = (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)
    for x, y, dx, dy in adam7:
        rows += b''.join(b'\0' + row.tobytes() for row in pixels[y::dy, x::dx])
    with open(file, 'wb') as png:
        png.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, 8, 0, 0, 0, 1)) +
                  chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def kinds(picture, folder):
    grey = np.asarray(Image.open(picture))
    sixteen = ((grey.astype(int) + 8) // 17).astype(np.uint8)
    os.makedirs(folder)
    Image.fromarray(grey).save(folder + '/plain.png')
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder + '/grey16.png')
    opaque = Image.new('L', grey.shape[::-1], 255)
    Image.merge('RGBA', [Image.fromarray(grey)] * 3 + [opaque]).save(folder + '/rgba.png')
    interlaced(grey, folder + '/interlaced.png')
    palette = Image.fromarray(sixteen, 'P')
    palette.putpalette([17 * (i // 3) for i in range(48)])
    palette.save(folder + '/palette4.png', bits=4)
    Image.fromarray(sixteen * 17).save(folder + '/plain4.png')
    Image.fromarray(grey > 127).save(folder + '/bit1.png')
    Image.fromarray(np.where(grey > 127, 255, 0).astype(np.uint8)).save(folder + '/plain1.png')


{'digits': digits, 'kinds': kinds}[sys.argv[1]](*sys.argv[2:])
