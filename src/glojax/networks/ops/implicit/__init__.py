"""Convolutions of a population as implicit products, in Pallas kernels for NVIDIA GPUs.

A program of a kernel takes the pixels of one candidate in cells of 2 x 2, and multiplies the windows around them by the
candidate's kernel: nothing like a patch matrix is ever written. What follows a convolution in a `ConvolutionBlock`, a
2 x 2 pooling, bias and ReLU, happens in the registers, so that a quarter of the features is written. Backward, the
cotangent of a cell goes to the pixel that was the largest, which the forward pass has noted.

Arrays have a leading axis of P candidates, or of 1 where all candidates share them. Operands of products have 16 bits,
bfloat16 or float16 with a scale; their sums are of float32.
"""
