"""What PyTorch calls the layers of each family: one module a family, named as the family's model file.

Each has one function:

    def names(model, received):
        \"\"\"{Keras layer: torch module}; a weight of its own as {"layer/weight": (tensor, transform)}.\"\"\"

`received` is {name: tensor} of the file, for families that are published under several names. A
transform is a key of `kerazoo.weights.torch.TRANSFORMS` or a function of the tensor.
The weights of Keras's own layers follow from the layer's class (`kerazoo.weights.torch.PARTS`).
"""
