# python3 readme_torch.py README DATA: runs the README's lines for PyTorch, which read runs/first, and prints what
# accuracy they have over the test set of a folder, then without their scaling, and their names of classes.
import gzip
import json
import re
import sys

import torch

readme, folder = sys.argv[1:]
blocks = re.findall(r'^```python\n(.*?)^```$', open(readme, encoding='utf-8').read(), re.M | re.S)
lines = [block for block in blocks if 'torch' in block]
if len(lines) != 1:
    sys.exit('README.md has %d blocks for PyTorch' % len(lines))
made = {}
exec(lines[0], made)


def test_set(name, header):
    with gzip.open(folder + '/' + name) as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


labels = test_set('t10k-labels-idx1-ubyte.gz', 8)
pictures = test_set('t10k-images-idx3-ubyte.gz', 16).reshape(len(labels), *json.loads(made['about']['shape']))
with torch.no_grad():
    right = (made['classify'](pictures) == labels).double().mean().item()
    unscaled = (made['model'](pictures.float().flatten(1)).argmax(1) == labels).double().mean().item()
print(json.dumps([right, unscaled, json.loads(made['about']['classes'])]))
