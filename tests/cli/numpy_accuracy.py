# python3 numpy_accuracy.py RUN DATA: the accuracy of a run's model over the test set of a folder, by NumPy alone.
import gzip
import json
import struct
import sys

import numpy as np

run, data = sys.argv[1:]
with open(run + '/model.safetensors', 'rb') as file:
    header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))
    raw = file.read()
facts = json.load(open(run + '/run.json'))
w = {name: np.frombuffer(raw[slice(*t['data_offsets'])], {'F32': '<f4', 'I64': '<i8'}[t['dtype']]).reshape(t['shape'])
     for name, t in header.items() if name != '__metadata__'}
pixels = np.frombuffer(gzip.open(data + '/t10k-images-idx3-ubyte.gz').read()[16:], np.uint8)
labels = np.frombuffer(gzip.open(data + '/t10k-labels-idx1-ubyte.gz').read()[8:], np.uint8)
x = (pixels.reshape(len(labels), -1) / 255 - facts['data']['mean'][0]) / facts['data']['deviation'][0]
layers = [line.split() for line in facts['net']['text'].split('\n') if line and line[0] != '#'][1:-1]
for i, (kind, *_) in enumerate(layers):
    if kind == 'dense':
        x = x @ w[f'{i}.weight'].T + w[f'{i}.bias']
    elif kind == 'batchnorm':
        x = (x - w[f'{i}.running_mean']) / np.sqrt(w[f'{i}.running_var'] + 1e-5) * w[f'{i}.weight'] + w[f'{i}.bias']
    elif kind == 'relu':
        x = np.maximum(x, 0)
    else:
        sys.exit('no ' + kind + ' here')
print((x.argmax(1) == labels).mean())
